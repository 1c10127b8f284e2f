package rbac_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/kinds/rbac"
	"proa/kinds/resource"
)

// The default policy on a few pages: a grant more is a diff here.
func TestBootstrap(t *testing.T) {
	datadriven.RunTest(t, "testdata/bootstrap.txt", func(t *testing.T, d *datadriven.TestData) string {
		policy := rbac.Bootstrap()
		var b strings.Builder
		switch d.Cmd {
		case "clusterroles":
			for _, role := range policy.ClusterRoles {
				fmt.Fprintf(&b, "%s%s\n", role.Name, aggregation(role))
				printRules(&b, role.Rules)
			}
		case "clusterrolebindings":
			for _, binding := range policy.ClusterRoleBindings {
				fmt.Fprintf(&b, "%s: %s\n", binding.Name, subjects(binding.RoleRef, binding.Name, binding.Subjects))
			}
		case "roles":
			for _, role := range policy.Roles {
				fmt.Fprintf(&b, "%s/%s\n", role.Namespace, role.Name)
				printRules(&b, role.Rules)
			}
		case "rolebindings":
			for _, binding := range policy.RoleBindings {
				fmt.Fprintf(&b, "%s/%s: %s\n", binding.Namespace, binding.Name, subjects(binding.RoleRef, binding.Name, binding.Subjects))
			}
		}
		return b.String()
	})
}

func aggregation(role *rbacv1.ClusterRole) string {
	var b strings.Builder
	for label := range role.Labels {
		if into, ok := strings.CutPrefix(label, "rbac.authorization.k8s.io/aggregate-to-"); ok {
			fmt.Fprintf(&b, " into %s", into)
		}
	}
	if role.AggregationRule != nil {
		fmt.Fprintf(&b, " of %v", role.AggregationRule.ClusterRoleSelectors[0].MatchLabels)
	}
	return b.String()
}

func printRules(b *strings.Builder, rules []rbacv1.PolicyRule) {
	for _, rule := range rules {
		var groups []string
		for _, group := range rule.APIGroups {
			if group == "" {
				group = "core"
			}
			groups = append(groups, group)
		}
		parts := []string{strings.Join(rule.Verbs, ",")}
		for _, list := range [][]string{groups, rule.Resources, rule.ResourceNames, rule.NonResourceURLs} {
			if len(list) > 0 {
				parts = append(parts, strings.Join(list, ","))
			}
		}
		fmt.Fprintf(b, "  %s\n", strings.Join(parts, " "))
	}
}

func subjects(ref rbacv1.RoleRef, name string, subjects []rbacv1.Subject) string {
	var list []string
	for _, s := range subjects {
		list = append(list, strings.Trim(s.Kind+" "+s.Namespace+"/"+s.Name, "/"))
	}
	if len(list) == 0 {
		list = []string{"nobody"}
	}
	if ref.Name != name {
		list = append(list, "as "+ref.Name)
	}
	return strings.ReplaceAll(strings.Join(list, ", "), " /", " ")
}

// The default policy passes the rules for what users write, and binds nothing that it does not hold.
func TestBootstrapIsValid(t *testing.T) {
	policy := rbac.Bootstrap()
	valid := func(row *resource.Resource, obj resource.Object) {
		t.Helper()
		if errs := row.Validate(obj); len(errs) > 0 {
			t.Errorf("%s: %v", obj.GetName(), errs)
		}
		if messages := row.ValidateName(obj.GetName(), false); len(messages) > 0 {
			t.Errorf("%s: %v", obj.GetName(), messages)
		}
		if len(obj.GetLabels()) == 0 || obj.GetAnnotations()[rbacv1.AutoUpdateAnnotationKey] != "true" {
			t.Errorf("%s is not marked as a default", obj.GetName())
		}
	}
	roles := map[string]bool{}
	for _, role := range policy.ClusterRoles {
		valid(rbac.ClusterRole(), role)
		if roles[role.Name] {
			t.Errorf("two roles %s", role.Name)
		}
		roles[role.Name] = true
	}
	for _, role := range policy.Roles {
		valid(rbac.Role(), role)
		roles[role.Namespace+"/"+role.Name] = true
	}
	for _, binding := range policy.ClusterRoleBindings {
		valid(rbac.ClusterRoleBinding(), binding)
		if !roles[binding.RoleRef.Name] {
			t.Errorf("%s binds %s, which is not there", binding.Name, binding.RoleRef.Name)
		}
	}
	for _, binding := range policy.RoleBindings {
		valid(rbac.RoleBinding(), binding)
		if !roles[binding.Namespace+"/"+binding.RoleRef.Name] {
			t.Errorf("%s binds %s, which is not there", binding.Name, binding.RoleRef.Name)
		}
	}
}

// Whoever changes one copy of the policy changes no other.
func TestBootstrapIsNewEachTime(t *testing.T) {
	rbac.Bootstrap().ClusterRoles[0].Rules[0].Verbs[0] = "changed"
	rbac.Bootstrap().ClusterRoles[0].Labels["changed"] = "true"
	again := rbac.Bootstrap().ClusterRoles[0]
	if again.Rules[0].Verbs[0] == "changed" || again.Labels["changed"] != "" {
		t.Error("two calls share memory")
	}
}

// Without a name or a token, nothing but health and version is open.
func TestAnonymousSeesHealthOnly(t *testing.T) {
	policy := rbac.Bootstrap()
	var open []string
	for _, binding := range policy.ClusterRoleBindings {
		for _, subject := range binding.Subjects {
			if subject.Name == "system:unauthenticated" || subject.Name == "system:anonymous" {
				open = append(open, binding.RoleRef.Name)
			}
		}
	}
	if !slices.Equal(open, []string{"system:public-info-viewer"}) {
		t.Fatalf("anonymous is bound to %v", open)
	}
	i := slices.IndexFunc(policy.ClusterRoles, func(role *rbacv1.ClusterRole) bool { return role.Name == open[0] })
	for _, rule := range policy.ClusterRoles[i].Rules {
		if !slices.Equal(rule.Verbs, []string{"get"}) || len(rule.Resources) > 0 {
			t.Errorf("anonymous may %v", rule)
		}
	}
}

func TestAggregate(t *testing.T) {
	rule := func(verb string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{Verbs: []string{verb}, APIGroups: []string{""}, Resources: []string{"pods"}}
	}
	part := func(name, label string, rules ...rbacv1.PolicyRule) *rbacv1.ClusterRole {
		role := &rbacv1.ClusterRole{Rules: rules}
		role.Name, role.Labels = name, map[string]string{label: "true"}
		return role
	}
	whole := part("whole", "x", rule("stale"))
	whole.AggregationRule = &rbacv1.AggregationRule{ClusterRoleSelectors: selectors("x", "y")}
	roles := []*rbacv1.ClusterRole{part("a", "y", rule("get"), rule("list")), part("b", "x", rule("get")), part("c", "z", rule("create")), whole}
	var verbs []string
	for _, r := range rbac.Aggregate(whole, slices.Values(roles)) {
		verbs = append(verbs, r.Verbs[0])
	}
	// Selector by selector; "get" once; neither its own stale rules nor what no selector picks.
	if want := []string{"get", "list"}; !slices.Equal(verbs, want) {
		t.Errorf("aggregated %v, want %v", verbs, want)
	}
	if got := rbac.Aggregate(roles[0], slices.Values(roles)); len(got) != 2 {
		t.Errorf("a role without aggregationRule has rules %v", got)
	}
	whole.AggregationRule.ClusterRoleSelectors = selectors("nothing")
	if got := rbac.Aggregate(whole, slices.Values(roles)); got == nil || len(got) != 0 {
		t.Errorf("selectors that pick nothing gave %v", got)
	}
}

func selectors(labels ...string) []metav1.LabelSelector {
	var list []metav1.LabelSelector
	for _, label := range labels {
		list = append(list, metav1.LabelSelector{MatchLabels: map[string]string{label: "true"}})
	}
	return list
}
