package chain

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/util/uuid"

	"proa/apiserver/auth"
)

// auditHeader names a request in the logs of all who see it. A client may choose the name.
const auditHeader = "Audit-ID"

// Event is what is known of a request when it has been answered.
type Event struct {
	ID           string
	Info         *Info
	User         auth.User
	Impersonated *auth.User
	Code         int
	Start        time.Time
	Duration     time.Duration
}

type eventKey struct{}

func eventFrom(ctx context.Context) *Event {
	e, _ := ctx.Value(eventKey{}).(*Event)
	return e
}

// audited names the request and, if anybody listens, tells how it went.
func (c *Config) audited(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get(auditHeader)
		if id == "" || len(id) > 64 {
			id = string(uuid.NewUUID())
		}
		w.Header().Set(auditHeader, id)
		if c.Audit == nil {
			next.ServeHTTP(w, r)
			return
		}
		e := &Event{ID: id, Info: InfoFrom(r.Context()), Start: c.Clock.Now()}
		counted := &codeWriter{ResponseWriter: w, code: http.StatusOK}
		next.ServeHTTP(counted, r.WithContext(context.WithValue(r.Context(), eventKey{}, e)))
		e.Code, e.Duration = counted.code, c.Clock.Since(e.Start)
		c.Audit(*e)
	})
}

// codeWriter remembers the status. It passes Flush and, by Unwrap, all that http.ResponseController knows.
type codeWriter struct {
	http.ResponseWriter
	code int
}

func (w *codeWriter) WriteHeader(code int) {
	w.code = code
	w.ResponseWriter.WriteHeader(code)
}

func (w *codeWriter) Flush() {
	if f, ok := w.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}

// Hijack is for streams, whose libraries ask for it by type.
func (w *codeWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.code = http.StatusSwitchingProtocols
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

func (w *codeWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
