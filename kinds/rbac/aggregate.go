package rbac

import (
	"iter"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Aggregate computes the rules that a cluster role with an aggregationRule should hold: those of every other role that
// a selector picks, selector by selector, each rule once, in the order of roles (by name, for a stable result).
// Selectors that cannot be read pick nothing. A role without an aggregationRule keeps its rules.
func Aggregate(role *rbacv1.ClusterRole, roles iter.Seq[*rbacv1.ClusterRole]) []rbacv1.PolicyRule {
	if role.AggregationRule == nil {
		return role.Rules
	}
	rules := []rbacv1.PolicyRule{}
	for i := range role.AggregationRule.ClusterRoleSelectors {
		selector, err := metav1.LabelSelectorAsSelector(&role.AggregationRule.ClusterRoleSelectors[i])
		if err != nil {
			continue
		}
		for other := range roles {
			if other.Name == role.Name || !selector.Matches(labels.Set(other.Labels)) {
				continue
			}
			for _, rule := range other.Rules {
				if !hasRule(rules, rule) {
					rules = append(rules, *rule.DeepCopy())
				}
			}
		}
	}
	return rules
}

func hasRule(rules []rbacv1.PolicyRule, rule rbacv1.PolicyRule) bool {
	for _, known := range rules {
		if equality.Semantic.DeepEqual(known, rule) {
			return true
		}
	}
	return false
}
