package rbac

import (
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
)

// grant is a role's name and its rules: one line of the default policy.
type grant struct {
	name  string
	rules []rbacv1.PolicyRule
}

// Sets of verbs. Lists in a rule are separated by spaces.
const (
	read      = "get list watch"
	write     = "create delete deletecollection patch update"
	readWrite = "create delete deletecollection get list patch update watch"
)

func rules(rules ...rbacv1.PolicyRule) []rbacv1.PolicyRule { return rules }

// allow is a rule on resources. The core group, whose name is empty, is called "core".
func allow(verbs, groups, resources string) rbacv1.PolicyRule {
	rule := rbacv1.PolicyRule{
		Verbs: strings.Fields(verbs), APIGroups: strings.Fields(groups), Resources: strings.Fields(resources),
	}
	for i, group := range rule.APIGroups {
		if group == "core" {
			rule.APIGroups[i] = ""
		}
	}
	return rule
}

// named is allow for objects of certain names only.
func named(verbs, groups, resources, names string) rbacv1.PolicyRule {
	rule := allow(verbs, groups, resources)
	rule.ResourceNames = strings.Fields(names)
	return rule
}

// urls is a rule on paths that are not resources. A "*" at the end stands for anything.
func urls(verbs, paths string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{Verbs: strings.Fields(verbs), NonResourceURLs: strings.Fields(paths)}
}

// emitEvents is what every component may do.
func emitEvents() rbacv1.PolicyRule {
	return allow("create patch update", "core events.k8s.io", "events")
}
