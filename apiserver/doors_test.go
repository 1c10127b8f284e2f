package apiserver_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"proa/apiserver"
	"proa/apiserver/stream"
)

// methods answers every connection with its method.
type methods struct{}

func (methods) Serve(w http.ResponseWriter, r *http.Request, _ stream.Target) bool {
	w.Header().Set("X-Method", r.Method)
	return true
}

// TestProxiesTakeEveryMethod: what is behind a proxy knows its methods itself; all else of the API has no HEAD.
func TestProxiesTakeEveryMethod(t *testing.T) {
	p := newChanged(t, func(c *apiserver.Config) { c.Streams = methods{} })
	ask := func(method, path string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, nil)
		r.Header.Set("X-User", "admin")
		w := httptest.NewRecorder()
		p.server.Handler().ServeHTTP(w, r)
		return w
	}
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		for _, path := range []string{"/api/v1/namespaces/a/pods/p/proxy/x", "/api/v1/namespaces/a/services/s/proxy", "/api/v1/nodes/n/proxy/metrics"} {
			if w := ask(method, path); w.Header().Get("X-Method") != method {
				t.Errorf("%s %s: %d %s", method, path, w.Code, fmt.Sprint(w.Body))
			}
		}
	}
	for _, path := range []string{"/api/v1/namespaces/a/pods", "/api/v1/namespaces/a/pods/p", "/api/v1/namespaces/a/pods/p/status"} {
		if w := ask("HEAD", path); w.Code != http.StatusMethodNotAllowed {
			t.Errorf("HEAD %s: %d", path, w.Code)
		}
	}
}
