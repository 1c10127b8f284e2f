package auth

import (
	"fmt"
	"sync/atomic"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"proa/store"
)

// Tables that hold the RBAC kinds.
const (
	tableRoles               = "roles.rbac.authorization.k8s.io"
	tableRoleBindings        = "rolebindings.rbac.authorization.k8s.io"
	tableClusterRoles        = "clusterroles.rbac.authorization.k8s.io"
	tableClusterRoleBindings = "clusterrolebindings.rbac.authorization.k8s.io"
)

// Source hands out the newest state; a store.Store is one.
type Source interface {
	Snapshot() store.Snapshot
}

// fingerprint tells one content of the RBAC tables from any other.
type fingerprint [4]store.Revision

func fingerprintOf(snap store.Snapshot) fingerprint {
	return fingerprint{snap.Changed(tableRoles), snap.Changed(tableRoleBindings),
		snap.Changed(tableClusterRoles), snap.Changed(tableClusterRoleBindings)}
}

// ruleIndex answers "which rules has this user" without looking at any binding of another. It is built from one
// snapshot and never changes, but for checked.
//
// Upstream walks all bindings on every decision. Grouping them by subject makes a decision as long as the list of
// what the user was given, which is what makes a decision cost less than a microsecond.
type ruleIndex struct {
	print   fingerprint
	checked atomic.Int64 // the highest revision for which print was seen to hold

	clusterRoles map[string][]rbacv1.PolicyRule // with aggregation resolved
	roles        map[objectName][]rbacv1.PolicyRule

	cluster    subjects
	namespaces map[string]*subjects
}

type objectName struct{ namespace, name string }

// subjects lists what was granted in one scope.
type subjects struct {
	users  map[string][]*grant
	groups map[string][]*grant
}

// grant is one subject of one binding.
type grant struct {
	rules   []rbacv1.PolicyRule
	missing string // set when the role is not there: what the user is told

	kind, namespace, name string // of the binding
	role                  rbacv1.RoleRef
	subject               rbacv1.Subject
	text                  atomic.Pointer[string]
}

// reason says which binding allows, as upstream words it.
func (g *grant) reason() string {
	if t := g.text.Load(); t != nil {
		return *t
	}
	binding, subject := g.name, g.subject.Name
	if g.namespace != "" {
		binding += "/" + g.namespace
	}
	if g.subject.Kind == rbacv1.ServiceAccountKind {
		subject += "/" + subjectNamespace(g.subject, g.namespace)
	}
	t := fmt.Sprintf("RBAC: allowed by %s %q of %s %q to %s %q",
		g.kind, binding, g.role.Kind, g.role.Name, g.subject.Kind, subject)
	g.text.Store(&t)
	return t
}

func buildIndex(snap store.Snapshot, print fingerprint) *ruleIndex {
	x := &ruleIndex{
		print:        print,
		clusterRoles: clusterRules(snap),
		roles:        map[objectName][]rbacv1.PolicyRule{},
		namespaces:   map[string]*subjects{},
		cluster:      newSubjects(),
	}
	x.checked.Store(int64(snap.Revision()))
	for item := range snap.List(tableRoles, "", store.Key{}) {
		if role, ok := item.Value().(*rbacv1.Role); ok {
			x.roles[objectName{role.Namespace, role.Name}] = role.Rules
		}
	}
	for item := range snap.List(tableClusterRoleBindings, "", store.Key{}) {
		if b, ok := item.Value().(*rbacv1.ClusterRoleBinding); ok {
			x.cluster.add(x, "ClusterRoleBinding", b, b.RoleRef, b.Subjects)
		}
	}
	for item := range snap.List(tableRoleBindings, "", store.Key{}) {
		b, ok := item.Value().(*rbacv1.RoleBinding)
		if !ok {
			continue
		}
		scope := x.namespaces[b.Namespace]
		if scope == nil {
			s := newSubjects()
			scope = &s
			x.namespaces[b.Namespace] = scope
		}
		scope.add(x, "RoleBinding", b, b.RoleRef, b.Subjects)
	}
	return x
}

func newSubjects() subjects {
	return subjects{users: map[string][]*grant{}, groups: map[string][]*grant{}}
}

func (s *subjects) add(x *ruleIndex, kind string, binding metav1.Object, ref rbacv1.RoleRef, to []rbacv1.Subject) {
	rules, err := x.roleRules(ref, binding.GetNamespace())
	for _, subject := range to {
		g := &grant{rules: rules, kind: kind, namespace: binding.GetNamespace(), name: binding.GetName(), role: ref, subject: subject}
		if err != nil {
			g.missing = err.Error()
		}
		switch subject.Kind {
		case rbacv1.UserKind:
			s.users[subject.Name] = append(s.users[subject.Name], g)
		case rbacv1.GroupKind:
			s.groups[subject.Name] = append(s.groups[subject.Name], g)
		case rbacv1.ServiceAccountKind:
			if namespace := subjectNamespace(subject, binding.GetNamespace()); namespace != "" {
				name := AccountUserPrefix + namespace + ":" + subject.Name
				s.users[name] = append(s.users[name], g)
			}
		}
	}
}

// subjectNamespace is where a service account is: a RoleBinding may leave it out.
func subjectNamespace(s rbacv1.Subject, bindingNamespace string) string {
	if s.Namespace != "" {
		return s.Namespace
	}
	return bindingNamespace
}

// roleRules are the rules of the role that a binding refers to.
func (x *ruleIndex) roleRules(ref rbacv1.RoleRef, namespace string) ([]rbacv1.PolicyRule, error) {
	switch ref.Kind {
	case "Role":
		if rules, ok := x.roles[objectName{namespace, ref.Name}]; ok {
			return rules, nil
		}
		return nil, fmt.Errorf("role.rbac.authorization.k8s.io %q not found", ref.Name)
	case "ClusterRole":
		if rules, ok := x.clusterRoles[ref.Name]; ok {
			return rules, nil
		}
		return nil, fmt.Errorf("clusterrole.rbac.authorization.k8s.io %q not found", ref.Name)
	}
	return nil, fmt.Errorf("unsupported role reference kind: %q", ref.Kind)
}

// clusterRules resolves aggregation: a ClusterRole with an aggregationRule has the rules of all that it selects, and
// not what is written in it, which a controller keeps for people to read. Doing it here makes a new part take effect
// with the write that brings it.
func clusterRules(snap store.Snapshot) map[string][]rbacv1.PolicyRule {
	rules := map[string][]rbacv1.PolicyRule{}
	var roles, aggregated []*rbacv1.ClusterRole
	for item := range snap.List(tableClusterRoles, "", store.Key{}) {
		role, ok := item.Value().(*rbacv1.ClusterRole)
		if !ok {
			continue
		}
		roles = append(roles, role)
		rules[role.Name] = role.Rules
		if role.AggregationRule != nil {
			aggregated = append(aggregated, role)
		}
	}
	r := aggregation{roles: roles, done: map[string]bool{}, rules: rules}
	for _, role := range aggregated {
		r.resolve(role)
	}
	return rules
}

// aggregation resolves roles that aggregate roles that aggregate, such as admin over edit over view.
type aggregation struct {
	roles []*rbacv1.ClusterRole
	done  map[string]bool // resolved, or being resolved: a ring ends there
	rules map[string][]rbacv1.PolicyRule
}

func (a *aggregation) resolve(role *rbacv1.ClusterRole) {
	if role.AggregationRule == nil || a.done[role.Name] {
		return
	}
	a.done[role.Name] = true
	var all []rbacv1.PolicyRule
	for i := range role.AggregationRule.ClusterRoleSelectors {
		selector, err := metav1.LabelSelectorAsSelector(&role.AggregationRule.ClusterRoleSelectors[i])
		if err != nil {
			continue
		}
		for _, part := range a.roles {
			if part != role && selector.Matches(labels.Set(part.Labels)) {
				a.resolve(part)
				all = append(all, a.rules[part.Name]...)
			}
		}
	}
	a.rules[role.Name] = all
}
