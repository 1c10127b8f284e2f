package chain_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	clocktesting "k8s.io/utils/clock/testing"
	"time"

	"proa/apiserver/auth"
	"proa/apiserver/chain"
)

type everybody struct{}

func (everybody) Authenticate(*http.Request) (auth.User, bool, error) {
	return auth.User{Name: "a"}, true, nil
}

func (everybody) Authorize(context.Context, auth.Attributes) (bool, string, error) {
	return true, "", nil
}

// serve passes one request through the chain.
func serve(t *testing.T, h http.HandlerFunc, method, path string) *httptest.ResponseRecorder {
	t.Helper()
	filters, err := chain.Filters(chain.Config{Authenticator: everybody{}, Authorizer: everybody{},
		Clock: clocktesting.NewFakeClock(time.Unix(0, 0)), MaxReading: 1})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	chain.Wrap(h, filters).ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

// TestPathEncodings: a resource path that could be read in two ways reaches nobody.
func TestPathEncodings(t *testing.T) {
	ok := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }
	for path, want := range map[string]int{
		"/api/v1/namespaces/a/secrets/b":                http.StatusOK,
		"/api/v1/namespaces/a/secrets/b/":               http.StatusOK,
		"/api/v1/namespaces/a/secrets/b%2Ec":            http.StatusOK,
		"/api/v1/namespaces/a/pods/x/../../secrets/b":   http.StatusNotFound,
		"/api/v1/namespaces/a/pods/%2e%2e/secrets":      http.StatusNotFound,
		"/api/v1/namespaces/a/pods/x%2F..%2Fsecrets":    http.StatusNotFound,
		"/api/v1/namespaces//secrets":                   http.StatusNotFound,
		"/api/v1//namespaces/a/secrets":                 http.StatusNotFound,
		"/api/v1/namespaces/a/./secrets":                http.StatusNotFound,
		"/apis/apps/v1/namespaces/a/deployments/b%00":   http.StatusNotFound,
		"/api/v1/namespaces/a/pods/b/proxy/x//..%2Fy":   http.StatusOK, // the pod's own path
		"/api/v1/namespaces/a/pods/../proxy/x":          http.StatusNotFound,
		"/healthz/%2e%2e/api/v1/namespaces/a/secrets/b": http.StatusOK, // a path, authorized as a path
	} {
		if got := serve(t, ok, "GET", path).Code; got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
}

func TestPanicIsAnswered(t *testing.T) {
	w := serve(t, func(http.ResponseWriter, *http.Request) { panic("oops") }, "GET", "/api/v1/pods")
	if w.Code != http.StatusInternalServerError {
		t.Errorf("code %d: %s", w.Code, w.Body)
	}
}

func TestTooManyRequests(t *testing.T) {
	filters, err := chain.Filters(chain.Config{Authenticator: everybody{}, Authorizer: everybody{},
		Clock: clocktesting.NewFakeClock(time.Unix(0, 0)), MaxReading: 1})
	if err != nil {
		t.Fatal(err)
	}
	inside, leave := make(chan bool), make(chan bool)
	h := chain.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("wait") != "" {
			inside <- true
			<-leave
		}
	}), filters)
	done := make(chan bool)
	go func() {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/api/v1/pods?wait=1", nil))
		done <- true
	}()
	<-inside
	for path, want := range map[string]int{"GET /api/v1/pods": 429, "GET /api/v1/pods?watch=1": 200, "POST /api/v1/namespaces/a/pods": 200} {
		w := httptest.NewRecorder()
		var method, url string
		for i := range path {
			if path[i] == ' ' {
				method, url = path[:i], path[i+1:]
			}
		}
		h.ServeHTTP(w, httptest.NewRequest(method, url, nil))
		if w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
	leave <- true
	<-done
}
