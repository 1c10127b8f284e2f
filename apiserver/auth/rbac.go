package auth

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"sync/atomic"

	rbacv1 "k8s.io/api/rbac/v1"
)

// RBAC decides by the roles and bindings of the newest state. It is safe for many goroutines.
type RBAC struct {
	source Source
	cached atomic.Pointer[ruleIndex]
}

// NewRBAC returns the decider for what source holds.
func NewRBAC(source Source) *RBAC { return &RBAC{source: source} }

// index returns the rules as of now. While nothing is written it is two loads; after a write elsewhere it compares
// four revisions; only after a write to an RBAC kind it is built anew.
func (r *RBAC) index() *ruleIndex {
	snap := r.source.Snapshot()
	revision := int64(snap.Revision())
	x := r.cached.Load()
	if x != nil && x.checked.Load() >= revision {
		return x
	}
	print := fingerprintOf(snap)
	if x != nil && x.print == print {
		raise(&x.checked, revision)
		return x
	}
	fresh := buildIndex(snap, print)
	// A slower goroutine may bring an older state: it uses that for its own decision and does not publish it.
	for {
		if x != nil && x.checked.Load() >= revision {
			return fresh
		}
		if r.cached.CompareAndSwap(x, fresh) {
			return fresh
		}
		x = r.cached.Load()
	}
}

func raise(to *atomic.Int64, value int64) {
	for old := to.Load(); old < value; old = to.Load() {
		if to.CompareAndSwap(old, value) {
			return
		}
	}
}

// Authorize allows what a rule allows. There are no rules that deny.
//
// Every request comes through here, so it goes over the grants without closures: they would have a put on the heap.
func (r *RBAC) Authorize(_ context.Context, a Attributes) (bool, string, error) {
	x := r.index()
	if g := x.cluster.allowing(&a); g != nil {
		return true, g.reason(), nil
	}
	if scope := x.namespaces[a.Namespace]; scope != nil && a.Namespace != "" {
		if g := scope.allowing(&a); g != nil {
			return true, g.reason(), nil
		}
	}
	return false, x.missing(a.User, a.Namespace), nil
}

// allowing is the first grant that allows a request, or nil.
func (s *subjects) allowing(a *Attributes) *grant {
	if g := firstAllowing(s.users[a.User.Name], a); g != nil {
		return g
	}
	for _, group := range a.User.Groups {
		if g := firstAllowing(s.groups[group], a); g != nil {
			return g
		}
	}
	return nil
}

func firstAllowing(grants []*grant, a *Attributes) *grant {
	for _, g := range grants {
		for i := range g.rules {
			if ruleAllows(a, &g.rules[i]) {
				return g
			}
		}
	}
	return nil
}

// missing says which roles are bound to a user and are not there; it is the reason of a refusal.
func (x *ruleIndex) missing(u User, namespace string) string {
	var missing []string
	x.visit(u, namespace, func(g *grant) bool {
		if g.missing != "" {
			missing = append(missing, g.missing)
		}
		return true
	})
	if len(missing) == 0 {
		return ""
	}
	return "RBAC: " + joinErrors(missing)
}

// Rules lists all rules that a user has in a namespace, those of the whole cluster among them. With an error the list
// is what could be found.
func (r *RBAC) Rules(u User, namespace string) ([]rbacv1.PolicyRule, error) {
	var rules []rbacv1.PolicyRule
	var missing []string
	r.index().visit(u, namespace, func(g *grant) bool {
		rules = append(rules, g.rules...)
		if g.missing != "" {
			missing = append(missing, g.missing)
		}
		return true
	})
	if len(missing) > 0 {
		return rules, errors.New(joinErrors(missing))
	}
	return rules, nil
}

// visit shows the grants of a user until f returns false.
func (x *ruleIndex) visit(u User, namespace string, f func(*grant) bool) {
	if !x.cluster.visit(u, f) || namespace == "" {
		return
	}
	if scope := x.namespaces[namespace]; scope != nil {
		scope.visit(u, f)
	}
}

func (s *subjects) visit(u User, f func(*grant) bool) bool {
	for _, g := range s.users[u.Name] {
		if !f(g) {
			return false
		}
	}
	for _, group := range u.Groups {
		for _, g := range s.groups[group] {
			if !f(g) {
				return false
			}
		}
	}
	return true
}

func ruleAllows(a *Attributes, rule *rbacv1.PolicyRule) bool {
	if !has(rule.Verbs, a.Verb, rbacv1.VerbAll) {
		return false
	}
	if !a.IsResourceRequest {
		return pathMatches(rule.NonResourceURLs, a.Path)
	}
	return has(rule.APIGroups, a.APIGroup, rbacv1.APIGroupAll) &&
		resourceMatches(rule.Resources, a.Resource, a.Subresource) &&
		(len(rule.ResourceNames) == 0 || has(rule.ResourceNames, a.Name, a.Name))
}

func has(list []string, want, all string) bool {
	for _, s := range list {
		if s == want || s == all {
			return true
		}
	}
	return false
}

// resourceMatches compares "pods/log" without putting the two halves together, for that would allocate.
func resourceMatches(rules []string, resource, subresource string) bool {
	for _, rule := range rules {
		if rule == rbacv1.ResourceAll {
			return true
		}
		if subresource == "" {
			if rule == resource {
				return true
			}
			continue
		}
		parent, sub, ok := strings.Cut(rule, "/")
		if ok && sub == subresource && (parent == resource || parent == "*") {
			return true
		}
	}
	return false
}

func pathMatches(rules []string, path string) bool {
	for _, rule := range rules {
		if rule == rbacv1.NonResourceAll || rule == path {
			return true
		}
		if prefix, ok := strings.CutSuffix(rule, "*"); ok && strings.HasPrefix(path, strings.TrimRight(prefix, "*")) {
			return true
		}
	}
	return false
}

// joinErrors writes several messages as an aggregate error of the API libraries does: each once, in brackets.
func joinErrors(messages []string) string {
	seen := map[string]bool{}
	var distinct []string
	for _, m := range messages {
		if !seen[m] {
			seen[m] = true
			distinct = append(distinct, m)
		}
	}
	if len(distinct) == 1 {
		return distinct[0]
	}
	return "[" + strings.Join(distinct, ", ") + "]"
}

// describeRules lists rules for the message of an escalation, sorted, one a line.
func describeRules(rules []rbacv1.PolicyRule) string {
	lines := map[string]bool{}
	for _, rule := range rules {
		var parts []string
		for _, p := range []struct {
			name   string
			values []string
		}{
			{"APIGroups", rule.APIGroups}, {"Resources", rule.Resources}, {"NonResourceURLs", rule.NonResourceURLs},
			{"ResourceNames", rule.ResourceNames}, {"Verbs", rule.Verbs},
		} {
			if len(p.values) > 0 {
				parts = append(parts, fmt.Sprintf("%s:%q", p.name, p.values))
			}
		}
		lines["{"+strings.Join(parts, ", ")+"}"] = true
	}
	sorted := make([]string, 0, len(lines))
	for line := range lines {
		sorted = append(sorted, line)
	}
	sort.Strings(sorted)
	return strings.Join(sorted, "\n")
}
