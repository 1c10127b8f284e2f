package chain_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"proa/apiserver/auth"
	"proa/apiserver/chain"
	"proa/apiserver/encode"
	"proa/apiserver/fair"
	"proa/kinds"
	"proa/store/storetest"
)

type everybody struct{}

func (everybody) Authenticate(r *http.Request) (auth.User, bool, error) {
	return auth.User{Name: "a", Groups: r.Header["X-Group"]}, true, nil
}

func (everybody) Authorize(context.Context, auth.Attributes) (bool, string, error) {
	return true, "", nil
}

// handler puts the chain around h, with so many seats for all who ask.
func handler(t *testing.T, seats int, h http.HandlerFunc) http.Handler {
	t.Helper()
	clock := clocktesting.NewFakeClock(time.Unix(0, 0))
	turns, err := fair.New(fair.Config{Source: storetest.New(t, encode.Decoder(kinds.Builtin())), Clock: clock, Seats: seats})
	if err != nil {
		t.Fatal(err)
	}
	filters, err := chain.Filters(chain.Config{Authenticator: everybody{}, Authorizer: everybody{}, Clock: clock, Fair: turns})
	if err != nil {
		t.Fatal(err)
	}
	return chain.Wrap(h, filters)
}

// serve passes one request through the chain.
func serve(t *testing.T, h http.HandlerFunc, method, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	handler(t, 1, h).ServeHTTP(w, httptest.NewRequest(method, path, nil))
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

// TestTooManyRequests: one seat is taken, so nobody else gets one, but for system:masters.
func TestTooManyRequests(t *testing.T) {
	inside, leave := make(chan bool), make(chan bool)
	h := handler(t, 1, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("wait") != "" {
			inside <- true
			<-leave
		}
	})
	done := make(chan bool)
	go func() {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/api/v1/pods?wait=1", nil))
		done <- true
	}()
	<-inside
	for _, path := range []string{"GET /api/v1/pods", "GET /api/v1/pods?watch=1", "POST /api/v1/namespaces/a/pods"} {
		method, url, _ := strings.Cut(path, " ")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, url, nil))
		if got := fmt.Sprint(w.Code, w.Header()["Retry-After"], w.Body); got != "429 [1] Too many requests, please try again later.\n" {
			t.Errorf("%s: %s", path, got)
		}
	}
	for _, path := range []string{"GET /api/v1/namespaces/a/pods/b/log", "GET /api/v1/pods as master"} {
		method, url, _ := strings.Cut(strings.TrimSuffix(path, " as master"), " ")
		r := httptest.NewRequest(method, url, nil)
		if strings.HasSuffix(path, "master") {
			r.Header.Set("X-Group", auth.GroupMasters)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	leave <- true
	<-done
}

// TestWatchGivesItsSeatBack: a watch counts only until it has sent what was there.
func TestWatchGivesItsSeatBack(t *testing.T) {
	initialized, leave := make(chan bool), make(chan bool)
	h := handler(t, 1, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("watch") != "" {
			chain.Initialized(r.Context())
			initialized <- true
			<-leave
		}
	})
	done := make(chan bool)
	go func() {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/api/v1/pods?watch=1", nil))
		done <- true
	}()
	<-initialized
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/api/v1/pods", nil))
	if w.Code != http.StatusOK {
		t.Errorf("beside an open watch: %d", w.Code)
	}
	leave <- true
	<-done
}
