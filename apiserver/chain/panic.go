package chain

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// recovered answers 500 when a handler panics, and goes on serving others.
func recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p) // net/http closes the connection without a word
			}
			slog.Error("request panicked", "method", r.Method, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
			Refuse(w, r, apierrors.NewInternalError(fmt.Errorf("apiserver panic'd on %v %v", r.Method, r.RequestURI)))
		}()
		next.ServeHTTP(w, r)
	})
}
