package apiserver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"proa/apiserver"
	"proa/apiserver/admit"
	"proa/apiserver/audit"
	"proa/apiserver/auth"
	"proa/client"
	"proa/kinds"
)

// trail keeps events in memory.
type trail struct {
	mu    sync.Mutex
	lines []string
	seen  chan bool
}

func (s *trail) Write(events ...*auditv1.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range events {
		line := fmt.Sprintf("%s %s %s %s", e.Stage, e.User.Username, e.Verb, e.RequestURI)
		if e.ImpersonatedUser != nil {
			line += " as " + e.ImpersonatedUser.Username
			if m := e.AuthenticationMetadata; m != nil {
				line += " by " + m.ImpersonationConstraint
			}
		}
		if ref := e.ObjectRef; ref != nil {
			line += fmt.Sprintf(" [%s %s/%s]", ref.Resource, ref.Namespace, ref.Name)
		}
		if e.ResponseStatus != nil {
			line += fmt.Sprintf(" %d %s", e.ResponseStatus.Code, e.ResponseStatus.Reason)
		}
		if d := e.Annotations["authorization.k8s.io/decision"]; d != "" {
			line += " " + d
		}
		if note := e.Annotations["example.com/note"]; note != "" {
			line += " noted " + note
		}
		if e.RequestObject != nil {
			line += " sent " + string(e.RequestObject.Raw)
		}
		if e.ResponseObject != nil {
			var object struct{ Kind string }
			_ = json.Unmarshal(e.ResponseObject.Raw, &object)
			line += " got " + object.Kind + fmt.Sprint(" owners:", strings.Contains(string(e.ResponseObject.Raw), "managedFields"))
		}
		s.lines = append(s.lines, strings.TrimSpace(line))
		select {
		case s.seen <- true:
		default:
		}
	}
	return nil
}

func (s *trail) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// take returns the lines once there are so many.
func (s *trail) take(n int) string {
	for {
		s.mu.Lock()
		if len(s.lines) >= n {
			lines := s.lines
			s.lines = nil
			s.mu.Unlock()
			return strings.Join(lines, "\n")
		}
		s.mu.Unlock()
		<-s.seen
	}
}

func TestAudit(t *testing.T) {
	policy := &auditv1.Policy{OmitManagedFields: true, Rules: []auditv1.PolicyRule{
		{Level: auditv1.LevelNone, NonResourceURLs: []string{"/version"}},
		{Level: auditv1.LevelRequestResponse, Resources: []auditv1.GroupResources{{Resources: []string{"configmaps"}}}, OmitStages: []auditv1.Stage{auditv1.StageRequestReceived}},
		{Level: auditv1.LevelMetadata},
	}}
	events := &trail{seen: make(chan bool, 1)}
	auditor, err := audit.New(audit.Config{Policy: policy, Sinks: []audit.Sink{events}, Scheme: kinds.NewScheme()})
	if err != nil {
		t.Fatal(err)
	}
	note := func(_ context.Context, a *admit.Attributes) error { a.Annotate("example.com/note", a.Name); return nil }
	p := newChanged(t, func(c *apiserver.Config) {
		c.Audit, c.Admission = auditor, []admit.Step{{Name: "Note", Validate: note}}
	})
	expect := func(n int, want string) {
		t.Helper()
		if got := events.take(n); got != strings.TrimSpace(want) {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
	p.do("GET /version\n")
	p.do("POST /api/v1/namespaces/a/configmaps\n\n{\"metadata\":{\"name\":\"n\",\"managedFields\":[]}}")
	expect(1, `ResponseComplete admin create /api/v1/namespaces/a/configmaps [configmaps a/n] 201  allow noted n sent {"metadata":{"name":"n"}} got ConfigMap owners:false`)
	p.do("GET /api/v1/namespaces/a/configmaps/none\n")
	expect(1, `ResponseComplete admin get /api/v1/namespaces/a/configmaps/none [configmaps a/none] 404 NotFound allow got Status owners:false`)
	p.do("GET /api/v1/namespaces/a/pods/p\nX-User: nobody\n")
	expect(2, "RequestReceived nobody get /api/v1/namespaces/a/pods/p [pods a/p]\nResponseComplete nobody get /api/v1/namespaces/a/pods/p [pods a/p] 403 Forbidden forbid")
	p.do("GET /api/v1/namespaces/a/pods/p\nX-User: bad\n")
	expect(2, "RequestReceived  get /api/v1/namespaces/a/pods/p [pods a/p]\nResponseStarted  get /api/v1/namespaces/a/pods/p [pods a/p] 401")
	p.do("GET /api/v1/namespaces/a/pods/p\nImpersonate-User: eve\n")
	expect(2, "RequestReceived admin get /api/v1/namespaces/a/pods/p [pods a/p]\nResponseComplete admin get /api/v1/namespaces/a/pods/p as eve by impersonate:user-info [pods a/p] 404 NotFound allow")

	watch := p.do("GET /api/v1/pods?watch=1\n")
	expect(2, "RequestReceived admin watch /api/v1/pods?watch=1 [pods /]\nResponseStarted admin watch /api/v1/pods?watch=1 [pods /] 200  allow")
	_ = watch.Body.Close()
	expect(1, "ResponseComplete admin watch /api/v1/pods?watch=1 [pods /] 200  allow")

	local := p.server.Local(auth.User{Name: "controller"})
	obj := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "mine"}}
	if _, err := local.Create(t.Context(), client.RefOf("configmaps", obj), "", obj, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	expect(1, `ResponseComplete controller create  [configmaps a/mine] 200  allow noted mine sent {"metadata":{"name":"mine","namespace":"a"}} got ConfigMap owners:false`)
}
