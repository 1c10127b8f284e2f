package chain_test

import (
	"context"
	"errors"
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

// unsure allows nothing, and cannot say of pods whether it should.
type unsure struct{}

func (unsure) Authorize(_ context.Context, a auth.Attributes) (bool, string, error) {
	if a.Resource == "pods" {
		return false, "", errors.New("webhook <w> did not answer")
	}
	return false, "no & never", nil
}

func TestRefusals(t *testing.T) {
	clock := clocktesting.NewFakeClock(time.Unix(0, 0))
	turns, err := fair.New(fair.Config{Source: storetest.New(t, encode.Decoder(kinds.Builtin())), Clock: clock, Seats: 1})
	if err != nil {
		t.Fatal(err)
	}
	filters, err := chain.Filters(chain.Config{Authenticator: everybody{}, Authorizer: unsure{}, Clock: clock, Fair: turns})
	if err != nil {
		t.Fatal(err)
	}
	h := chain.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("was served") }), filters)
	for _, c := range []struct {
		path string
		code int
		says string
	}{
		{"/%3Cscript%3E", http.StatusForbidden, `cannot get path \"/&lt;script&gt;\": no & never`},
		{"/api/v1/secrets", http.StatusForbidden, `cannot list resource \"secrets\" in API group \"\" at the cluster scope: no & never`},
		{"/api/v1/pods?a=<b>", http.StatusInternalServerError, `Internal Server Error: "/api/v1/pods?a=&lt;b&gt;": webhook &lt;w&gt; did not answer`},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, c.path, nil))
		body := strings.NewReplacer(`\u0026`, "&").Replace(w.Body.String())
		if w.Code != c.code || !strings.Contains(body, c.says) || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("GET %s: %d %q %s\nwant %d %s", c.path, w.Code, w.Header().Get("X-Content-Type-Options"), body, c.code, c.says)
		}
	}
}
