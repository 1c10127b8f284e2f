package auth_test

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"sync"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"

	"proa/apiserver/auth"
	"proa/kinds/rbac"
	"proa/store"
)

// applied writes to a state, and notes what was written.
type applied struct {
	*state
	mu   sync.Mutex
	log  []string
	fail string
}

func (a *applied) Write(_ context.Context, c auth.Change) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c.Object.GetName() == a.fail {
		return errors.New("disk full")
	}
	a.log = append(a.log, fmt.Sprintf("%s %s %s", c.Verb, c.Table, c.Object.GetName()))
	a.put(c.Object)
	return nil
}

func (a *applied) run(t *testing.T) string {
	t.Helper()
	a.log = nil
	if err := auth.Bootstrap(context.Background(), a.state, a); err != nil {
		t.Fatal(err)
	}
	sort.Strings(a.log)
	return strings.Join(a.log, "; ")
}

func role(s *state, name string) *rbacv1.ClusterRole {
	for item := range s.Snapshot().List("clusterroles.rbac.authorization.k8s.io", "", store.Key{}) {
		if item.Key.Name == name {
			return item.Value().(*rbacv1.ClusterRole).DeepCopy()
		}
	}
	s.t.Fatalf("no role %s", name)
	return nil
}

func TestBootstrapReconciles(t *testing.T) {
	a := &applied{state: newState(t)}
	policy := rbac.Bootstrap()
	first := a.run(t)
	want := len(policy.ClusterRoles) + len(policy.ClusterRoleBindings) + len(policy.Roles) + len(policy.RoleBindings) + 2
	if got := strings.Count(first, "create "); got != want || strings.Contains(first, "update") {
		t.Errorf("first start: %d creates, want %d", got, want)
	}
	if again := a.run(t); again != "" {
		t.Errorf("a second start writes: %s", again)
	}

	// Rules that are gone come back, rules and labels that somebody added stay.
	changed := role(a.state, "system:discovery")
	changed.Rules = []rbacv1.PolicyRule{{Verbs: []string{"get"}, NonResourceURLs: []string{"/mine"}}}
	changed.Labels["mine"] = "yes"
	a.put(changed)
	if got := a.run(t); got != "update clusterroles.rbac.authorization.k8s.io system:discovery" {
		t.Error(got)
	}
	if r := role(a.state, "system:discovery"); r.Labels["mine"] != "yes" || r.Rules[0].NonResourceURLs[0] != "/mine" || len(r.Rules) < 2 {
		t.Errorf("%+v", r)
	}

	// Who opts out is left alone.
	frozen := role(a.state, "system:discovery")
	frozen.Rules, frozen.Annotations = nil, map[string]string{rbacv1.AutoUpdateAnnotationKey: "false"}
	a.put(frozen)
	if got := a.run(t); got != "" {
		t.Error(got)
	}
}

func TestBootstrapReplacesABindingToAnotherRole(t *testing.T) {
	a := &applied{state: newState(t)}
	a.run(t)
	binding := rbac.Bootstrap().ClusterRoleBindings[0].DeepCopy()
	binding.RoleRef.Name = "view"
	a.put(binding)
	if got := a.run(t); got != "replace clusterrolebindings.rbac.authorization.k8s.io "+binding.Name {
		t.Error(got)
	}
}

func TestBootstrapSaysWhatFailed(t *testing.T) {
	a := &applied{state: newState(t), fail: "cluster-admin"}
	err := auth.Bootstrap(context.Background(), a.state, a)
	if err == nil || !strings.Contains(err.Error(), "create clusterroles.rbac.authorization.k8s.io cluster-admin: disk full") {
		t.Error(err)
	}
	a.fail = ""
	if got := a.run(t); strings.Count(got, "create") != 2 { // the role and the binding of that name
		t.Error(got)
	}
}
