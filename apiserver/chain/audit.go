package chain

import (
	"bytes"
	"io"
	"net/http"

	"k8s.io/apimachinery/pkg/util/uuid"

	"proa/apiserver/audit"
	"proa/apiserver/auth"
)

// auditHeader names a request in the logs of all who see it. A client may choose the name.
const auditHeader = "Audit-ID"

// longestRefusal is how much of a refusal is read for the reason that an audit event gives.
const longestRefusal = 64 << 10

// named gives the request a name, or leaves it the one that the client chose.
func named(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get(auditHeader)
		if id == "" || len(id) > 64 {
			id = string(uuid.NewUUID())
		}
		w.Header().Set(auditHeader, id)
		next.ServeHTTP(w, r)
	})
}

// audited writes down the request as far as the policy says.
func (c *Config) audited(next http.Handler) http.Handler {
	if c.Audit == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		info := InfoFrom(r.Context())
		user, _ := auth.UserFrom(r.Context())
		record := c.begin(w, r, user)
		if record == nil {
			next.ServeHTTP(w, r)
			return
		}
		long := LongRunning(info)
		keepRequest, keepResponse := record.Bodies()
		seen := &witness{coded: coded{ResponseWriter: w, code: http.StatusOK}, keep: keepResponse && !long}
		if long {
			seen.started = record.Started
		}
		var sent *sentBody
		if r.Body != nil && !long && (keepRequest || info.Verb == "create" || info.Verb == "update") {
			sent = &sentBody{ReadCloser: r.Body}
		}
		r = r.WithContext(audit.With(r.Context(), record))
		if sent != nil {
			r.Body = sent
		}
		defer func() {
			panicked := recover()
			outcome := audit.Outcome{Code: seen.code, Response: seen.document(), Panic: panicked}
			if sent != nil {
				outcome.Request = audit.Document{ContentType: r.Header.Get("Content-Type"), Body: sent.body.Bytes()}
			}
			if long && !seen.wrote {
				record.Started(seen.code)
			}
			record.End(outcome)
			if panicked != nil {
				panic(panicked)
			}
		}()
		next.ServeHTTP(seen, r)
	})
}

func (c *Config) begin(w http.ResponseWriter, r *http.Request, user auth.User) *audit.Record {
	attributes := Attributes(user, InfoFrom(r.Context()))
	return c.Audit.Begin(w.Header().Get(auditHeader), &attributes, r)
}

// sentBody keeps what is read of a request's body. Verbs read no more than encode.BodyLimit.
type sentBody struct {
	io.ReadCloser
	body bytes.Buffer
}

func (b *sentBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.body.Write(p[:n])
	return n, err
}

// witness sees what is answered.
type witness struct {
	coded
	keep bool // the body, whatever the code
	body bytes.Buffer
}

func (w *witness) Write(p []byte) (int, error) {
	w.note(http.StatusOK)
	if w.keep || w.code >= http.StatusBadRequest && w.body.Len()+len(p) <= longestRefusal {
		w.body.Write(p)
	}
	return w.ResponseWriter.Write(p)
}

func (w *witness) document() audit.Document {
	header := w.Header()
	return audit.Document{ContentType: header.Get("Content-Type"), ContentEncoding: header.Get("Content-Encoding"), Body: w.body.Bytes()}
}
