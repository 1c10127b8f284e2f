package chain_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"

	"proa/apiserver/auth"
	"proa/apiserver/chain"
	"proa/apiserver/encode"
	"proa/apiserver/fair"
	"proa/kinds"
	"proa/store/storetest"
)

// granted allows what a list of patterns says, and notes what it is asked.
type granted struct {
	user     auth.User
	patterns []string
	asked    []string
}

func (g *granted) Authenticate(*http.Request) (auth.User, bool, error) { return g.user, true, nil }

func (g *granted) Authorize(_ context.Context, a auth.Attributes) (bool, string, error) {
	text := fmt.Sprintf("%s %s", a.Verb, a.Path)
	if a.IsResourceRequest {
		text = strings.TrimRight(fmt.Sprintf("%s %s.%s/%s", a.Verb, a.Resource, a.APIGroup, a.Subresource), "./")
		text += fmt.Sprintf(" %s/%s", a.Namespace, a.Name)
	}
	allowed := false
	for _, p := range g.patterns {
		if ok, _ := path.Match(strings.ReplaceAll(p, "/", ":"), strings.ReplaceAll(text, "/", ":")); ok {
			allowed = true
		}
	}
	for _, keys := range a.User.Extra {
		if strings.HasPrefix(a.Verb, "impersonate") {
			text += fmt.Sprint(" with ", keys)
		}
	}
	g.asked = append(g.asked, fmt.Sprintf("%v %s", allowed, text))
	return allowed, "", nil
}

// TestImpersonation runs the scripts in testdata/impersonate: what a user may, one right a line, is said by "may"; a request with
// headers is made by "request" and printed as what was asked and as whom it was made. "user=NAME on=NODE" says who asks.
func TestImpersonation(t *testing.T) {
	datadriven.Walk(t, "testdata/impersonate", func(t *testing.T, path string) {
		clock := clocktesting.NewFakeClock(time.Unix(0, 0))
		turns, err := fair.New(fair.Config{Source: storetest.New(t, encode.Decoder(kinds.Builtin())), Clock: clock, Seats: 1})
		if err != nil {
			t.Fatal(err)
		}
		g := &granted{}
		filters, err := chain.Filters(chain.Config{Authenticator: g, Authorizer: g, Clock: clock, Fair: turns})
		if err != nil {
			t.Fatal(err)
		}
		h := chain.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			user, _ := auth.UserFrom(r.Context())
			fmt.Fprintf(w, "as %s %q %q %q headers %v", user.Name, user.UID, user.Groups, user.Extra, r.Header)
		}), filters)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "may" {
				g.patterns = strings.Split(d.Input, "\n")
				return ""
			}
			var name, node string
			d.ScanArgs(t, "user", &name)
			d.MaybeScanArgs(t, "on", &node)
			g.user, g.asked = auth.User{Name: name}, nil
			if node != "" {
				g.user.Extra = map[string][]string{auth.ExtraNodeName: {node}}
			}
			lines := strings.Split(d.Input, "\n")
			r := httptest.NewRequest(http.MethodGet, lines[0], nil)
			for _, line := range lines[1:] {
				key, value, _ := strings.Cut(line, ": ")
				r.Header.Add(key, value)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			answer := w.Body.String()
			var status metav1.Status
			if json.Unmarshal(w.Body.Bytes(), &status) == nil {
				answer = status.Message
			}
			return fmt.Sprintf("%s\n%d %s\n", strings.Join(g.asked, "\n"), w.Code, answer)
		})
	})
}
