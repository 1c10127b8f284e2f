package webhook_test

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/fields"

	"proa/apiserver/auth"
	"proa/apiserver/auth/webhook"
	"proa/store"
	"proa/store/storetest"
)

// other is a real webhook over TLS: it answers with what answer returns, and keeps what it was asked.
type other struct {
	server *httptest.Server
	mu     sync.Mutex
	asked  []string
	answer func(body []byte) (int, any)
}

func newOther(t *testing.T, answer func(body []byte) (int, any)) *other {
	o := &other{answer: answer}
	o.server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		o.mu.Lock()
		o.asked = append(o.asked, string(body))
		o.mu.Unlock()
		code, said := o.answer(body)
		w.WriteHeader(code)
		if err := json.NewEncoder(w).Encode(said); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(o.server.Close)
	return o
}

func (o *other) times() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.asked)
}

func (o *other) kubeconfig(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	ca, config := filepath.Join(dir, "ca"), filepath.Join(dir, "config")
	for path, data := range map[string]string{
		ca: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: o.server.Certificate().Raw})),
		config: fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}],
			users: [{name: u, user: {}}], clusters: [{name: c, cluster: {server: "%s/review", certificate-authority: "%s"}}]}`, o.server.URL, ca),
	} {
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return config
}

func TestTokens(t *testing.T) {
	now := time.Unix(0, 0)
	failing := false
	o := newOther(t, func(body []byte) (int, any) {
		var review authenticationv1.TokenReview
		if err := json.Unmarshal(body, &review); err != nil {
			t.Error(err)
		}
		switch {
		case failing:
			return http.StatusInternalServerError, review
		case review.Spec.Token == "good":
			review.Status = authenticationv1.TokenReviewStatus{Authenticated: true, User: authenticationv1.UserInfo{Username: "ann", UID: "7",
				Groups: []string{"team"}, Extra: map[string]authenticationv1.ExtraValue{"a": {"b"}}}}
		case review.Spec.Token == "bad":
			review.Status.Error = "it was stolen"
		}
		return http.StatusOK, review
	})
	w, err := webhook.NewTokens(o.kubeconfig(t), "v1")
	if err != nil {
		t.Fatal(err)
	}
	a := auth.Remember(w, time.Minute, 10*time.Second, func() time.Time { return now })
	ask := func(token string) string {
		r := httptest.NewRequest("GET", "/", nil)
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		u, ok, err := a.Authenticate(r)
		return fmt.Sprintf("%s %s %v %v %v %v", u.Name, u.UID, u.Groups, u.Extra, ok, err)
	}
	const ann, nobody = "ann 7 [team] map[a:[b]] true <nil>", "  [] map[] false <nil>"
	for _, step := range []struct {
		token, want string
		asked       int
	}{
		{"", nobody, 0}, {"good", ann, 1}, {"good", ann, 1}, {"other", nobody, 2}, {"other", nobody, 2},
		{"bad", "  [] map[] false it was stolen", 3}, {"bad", "  [] map[] false it was stolen", 4},
	} {
		if got := ask(step.token); got != step.want || o.times() != step.asked {
			t.Errorf("%q: %s after %d questions, want %s after %d", step.token, got, o.times(), step.want, step.asked)
		}
	}
	failing = true
	if got := ask("good"); got != ann {
		t.Errorf("what is known is good while the other side fails: %s", got)
	}
	now = now.Add(2 * time.Minute)
	before := o.times()
	if got := ask("good"); !strings.Contains(got, "false ask webhook") || o.times() != before+3 {
		t.Errorf("%s after %d questions", got, o.times()-before)
	}
	failing = false
	if got := ask("good"); got != ann {
		t.Errorf("a failure was kept: %s", got)
	}
	if !strings.Contains(o.asked[0], `"apiVersion":"authentication.k8s.io/v1"`) || !strings.Contains(o.asked[0], `"token":"good"`) {
		t.Error(o.asked[0])
	}
	if _, err := webhook.NewTokens(o.kubeconfig(t), "v2"); err == nil {
		t.Error("version v2")
	}
}

func orderFile(t *testing.T, kubeconfig, more string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "order")
	writeOrder(t, file, kubeconfig, more)
	return file
}

func writeOrder(t *testing.T, file, kubeconfig, more string) {
	t.Helper()
	config := fmt.Sprintf(`apiVersion: apiserver.config.k8s.io/v1
kind: AuthorizationConfiguration
authorizers:
- type: Webhook
  name: other
  webhook:
    timeout: 3s
    subjectAccessReviewVersion: v1
    matchConditionSubjectAccessReviewVersion: v1
    connectionInfo: {type: KubeConfigFile, kubeConfigFile: %q}
%s
- {type: Node, name: node}
- {type: RBAC, name: rbac}
`, kubeconfig, more)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
}

func newAccess(t *testing.T) *auth.Access {
	return auth.NewAccess(storetest.New(t, func(*store.Item) any { return nil }))
}

func TestOrder(t *testing.T) {
	now, failing := time.Unix(0, 0), false
	o := newOther(t, func(body []byte) (int, any) {
		var review authorizationv1.SubjectAccessReview
		if err := json.Unmarshal(body, &review); err != nil {
			t.Error(err)
		}
		if failing {
			return http.StatusForbidden, review
		}
		switch review.Spec.User {
		case "ann":
			review.Status = authorizationv1.SubjectAccessReviewStatus{Allowed: true, Reason: "she may"}
		case "bob":
			review.Status = authorizationv1.SubjectAccessReviewStatus{Denied: true, Reason: "he may not"}
		case "both":
			review.Status = authorizationv1.SubjectAccessReviewStatus{Allowed: true, Denied: true}
		default:
			review.Status.Reason = "who is that"
		}
		return http.StatusOK, review
	})
	access := newAccess(t)
	file := orderFile(t, o.kubeconfig(t), "    failurePolicy: Deny\n    matchConditions: [{expression: \"request.user != 'carl'\"}, {expression: \"has(request.resourceAttributes)\"}]\n")
	order, err := webhook.NewOrder(file, access, slog.New(slog.DiscardHandler), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	ask := func(user string, groups ...string) string {
		allowed, reason, err := access.Authorize(t.Context(), auth.Attributes{User: auth.User{Name: user, Groups: groups, Extra: map[string][]string{"a": {"b"}}},
			Verb: "list", APIGroup: "apps", APIVersion: "v1", Resource: "deployments", Namespace: "default", IsResourceRequest: true,
			FieldSelector: fields.OneTermEqualSelector("metadata.name", "x")})
		return fmt.Sprint(allowed, " ", reason, " ", err)
	}
	for _, step := range []struct {
		user, group, want string
		asked             int
	}{
		{"root", "system:masters", "true  <nil>", 0}, // whoever is asked, these first
		{"system:anonymous", "system:unauthenticated", "false  <nil>", 0},
		{"carl", "", "false  <nil>", 0}, // matches no condition: left to roles
		{"ann", "", "true she may <nil>", 1},
		{"ann", "", "true she may <nil>", 1}, // kept
		{"bob", "", "false he may not <nil>", 2},
		{"eve", "", "false who is that <nil>", 3},
		{"both", "", "false  authorizer other: webhook subject access review returned both allow and deny response", 4},
	} {
		if got := ask(step.user, step.group); got != step.want || o.times() != step.asked {
			t.Errorf("%s: %s after %d questions, want %s after %d", step.user, got, o.times(), step.want, step.asked)
		}
	}
	var review authorizationv1.SubjectAccessReview
	if err := json.Unmarshal([]byte(o.asked[0]), &review); err != nil || review.APIVersion != "authorization.k8s.io/v1" || review.Kind != "SubjectAccessReview" ||
		review.Spec.ResourceAttributes.Group != "apps" || review.Spec.ResourceAttributes.FieldSelector.Requirements[0].Values[0] != "x" || review.Spec.Extra["a"][0] != "b" {
		t.Errorf("asked %s: %v", o.asked[0], err)
	}
	now, failing = now.Add(time.Hour), true
	if got := ask("ann"); !strings.HasPrefix(got, "false  authorizer other: ask webhook: 403") {
		t.Errorf("the failure policy is Deny: %s", got)
	}

	tick, done := make(chan time.Time), make(chan error)
	go func() { done <- order.Run(t.Context(), tick) }()
	writeOrder(t, file, o.kubeconfig(t), "    failurePolicy: Nonsense\n")
	tick <- now
	tick <- now // the first is done with when the second is taken
	if got := ask("ann"); !strings.HasPrefix(got, "false  authorizer other") {
		t.Errorf("a wrong file changed something: %s", got)
	}
	failing = false
	writeOrder(t, file, o.kubeconfig(t), "    failurePolicy: NoOpinion\n    cacheAuthorizedRequests: false\n")
	tick <- now
	tick <- now
	before := o.times()
	for range 2 {
		if got := ask("ann"); got != "true she may <nil>" {
			t.Error(got)
		}
	}
	if got := ask("carl"); got != "false who is that <nil>" || o.times() != before+3 {
		t.Errorf("%s after %d questions", got, o.times()-before)
	}
}

func TestWrongOrders(t *testing.T) {
	for _, config := range []string{"authorizers: []", "authorizers: [{type: RBAC, name: 'A b'}]", "authorizers: [{type: ABAC, name: abac}]",
		"authorizers: [{type: RBAC, name: a}, {type: RBAC, name: b}]", "authorizer: []"} {
		file := filepath.Join(t.TempDir(), "order")
		if err := os.WriteFile(file, []byte("apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\n"+config), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := webhook.NewOrder(file, newAccess(t), slog.Default(), time.Now); err == nil || !strings.Contains(err.Error(), "authorizer") {
			t.Errorf("%s: %v", config, err)
		}
	}
}
