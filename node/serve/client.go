package serve

import (
	"context"
	"net/http"

	"proa/internal/gone"
)

// whileClient is a request whose context ends when its client is gone, once the connection has been taken over, and when end is
// called, which closes that connection as well. Nothing else tells: while a process or a pod takes nothing, the libraries that serve
// streams read nothing further, and a session would last as long as it may idle.
func whileClient(w http.ResponseWriter, r *http.Request) (_ http.ResponseWriter, _ *http.Request, end func()) {
	ctx, cancel := context.WithCancel(r.Context())
	session := &gone.Session{ResponseWriter: w, Gone: cancel}
	return session, r.WithContext(ctx), func() {
		cancel()
		session.End()
	}
}
