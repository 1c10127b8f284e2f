package chain_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"proa/apiserver/chain"
	"proa/apiserver/encode"
	"proa/apiserver/fair"
	"proa/internal/measure"
	"proa/kinds"
	"proa/store/storetest"
)

// What a request waited for is none of the server's own time; what was refused to protect it is counted apart.
func TestOwnTimeAndRefusals(t *testing.T) {
	clock := clocktesting.NewFakeClock(time.Unix(0, 0))
	turns, err := fair.New(fair.Config{Source: storetest.New(t, encode.Decoder(kinds.Builtin())), Clock: clock, Seats: 1})
	if err != nil {
		t.Fatal(err)
	}
	counts, drain := chain.NewCounts(), chain.NewDrain()
	filters, err := chain.Filters(chain.Config{Authenticator: everybody{}, Authorizer: everybody{}, Clock: clock, Fair: turns, Counts: counts, Drain: drain})
	if err != nil {
		t.Fatal(err)
	}
	h := chain.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		chain.Waited(r.Context(), 2*time.Second)
		clock.Step(3 * time.Second)
	}), filters)
	ask := func() int {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/api/v1/namespaces/a/pods", nil))
		return w.Code
	}
	if code := ask(); code != http.StatusOK {
		t.Fatal(code)
	}
	sample := func(name string) (s measure.Sample) {
		for _, f := range counts.Measures() {
			if f.Name == name && len(f.Samples) == 1 {
				s = f.Samples[0]
			}
		}
		return s
	}
	if whole, own := sample("apiserver_request_duration_seconds").Value, sample("apiserver_request_sli_duration_seconds").Value; whole != 3 || own != 1 {
		t.Errorf("the request took %v s, of which %v s were the server's own, want 3 and 1", whole, own)
	}
	if n := sample("apiserver_request_terminations_total").Value; n != 0 {
		t.Errorf("%v requests were refused, want none", n)
	}
	if err := drain.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if code := ask(); code != http.StatusTooManyRequests {
		t.Errorf("while the server stops, it answers %d", code)
	}
	if s := sample("apiserver_request_terminations_total"); s.Value != 1 || s.Values[len(s.Values)-1] != "429" {
		t.Errorf("counted as refused: %+v", s)
	}
}

// Who asked for what is counted, and how much they were answered.
func TestAttemptsAndSizes(t *testing.T) {
	clock := clocktesting.NewFakeClock(time.Unix(0, 0))
	turns, err := fair.New(fair.Config{Source: storetest.New(t, encode.Decoder(kinds.Builtin())), Clock: clock, Seats: 1})
	if err != nil {
		t.Fatal(err)
	}
	counts := chain.NewCounts()
	filters, err := chain.Filters(chain.Config{Authenticator: everybody{}, Authorizer: everybody{}, Clock: clock, Fair: turns, Counts: counts})
	if err != nil {
		t.Fatal(err)
	}
	h := chain.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		chain.InfoFrom(r.Context()).Deprecated = true
		if _, err := w.Write(make([]byte, 2000)); err != nil {
			t.Error(err)
		}
	}), filters)
	for range 2 {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/api/v1/namespaces/a/endpoints/b", nil))
	}
	for name, want := range map[string]float64{
		`apiserver_response_sizes[GET  v1 endpoints  resource apiserver]`: 4000,
		`apiserver_requested_deprecated_apis[ v1 endpoints  ]`:            1,
		`authentication_attempts[success]`:                                2,
		`authentication_attempts[error]`:                                  0,
		`authenticated_user_requests[other]`:                              2,
		`authorization_attempts_total[allowed]`:                           2,
	} {
		found := false
		for _, f := range counts.Measures() {
			for _, s := range f.Samples {
				if fmt.Sprint(f.Name, s.Values) == name {
					if found = true; s.Value != want {
						t.Errorf("%s is %v, want %v", name, s.Value, want)
					}
				}
			}
		}
		if !found {
			t.Errorf("%s is not shown", name)
		}
	}
}
