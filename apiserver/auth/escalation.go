package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/component-helpers/auth/rbac/validation"

	"proa/kinds/resource"
)

// CheckEscalation refuses a write of a role or binding that would grant what its author does not hold. It is asked for
// every write of the RBAC kinds after they are valid, and lets everything else pass.
//
// Two verbs lift it: "escalate" on the role that is written, and "bind" on the role that a binding refers to.
func (x *Access) CheckEscalation(ctx context.Context, w Write) error {
	if w.Group != rbacv1.GroupName || w.Subresource != "" || w.Object == nil || w.User.InGroup(GroupMasters) {
		return nil
	}
	if onlyForGarbageCollector(w.Object, w.Old) {
		return nil
	}
	switch obj := w.Object.(type) {
	case *rbacv1.Role:
		return x.checkRole(ctx, &w, obj.Rules, false)
	case *rbacv1.ClusterRole:
		old, _ := w.Old.(*rbacv1.ClusterRole)
		return x.checkRole(ctx, &w, obj.Rules, aggregates(obj) || aggregates(old))
	case *rbacv1.RoleBinding:
		return x.checkBinding(ctx, &w, obj.RoleRef)
	case *rbacv1.ClusterRoleBinding:
		return x.checkBinding(ctx, &w, obj.RoleRef)
	}
	return nil
}

func (x *Access) checkRole(ctx context.Context, w *Write, rules []rbacv1.PolicyRule, aggregating bool) error {
	escalate := Attributes{User: w.User, Verb: "escalate", APIGroup: w.Group, APIVersion: "*", Resource: w.Resource,
		Name: w.Name, Namespace: w.Namespace, IsResourceRequest: true}
	if allowed, _, _ := x.Authorize(ctx, escalate); allowed {
		return nil
	}
	if err := x.holds(w.User, w.Namespace, rules); err != nil {
		return w.forbidden(err)
	}
	// An aggregation rule can gather anything, later too.
	if aggregating && x.holds(w.User, w.Namespace, everything()) != nil {
		return w.forbidden(errors.New("must have cluster-admin privileges to use the aggregationRule"))
	}
	return nil
}

func (x *Access) checkBinding(ctx context.Context, w *Write, ref rbacv1.RoleRef) error {
	resourceName := map[string]string{"ClusterRole": "clusterroles", "Role": "roles"}[ref.Kind]
	bind := Attributes{User: w.User, Verb: "bind", APIGroup: ref.APIGroup, APIVersion: "*", Resource: resourceName,
		Name: ref.Name, Namespace: w.Namespace, IsResourceRequest: true}
	if resourceName != "" {
		if allowed, _, _ := x.Authorize(ctx, bind); allowed {
			return nil
		}
	}
	rules, err := x.rbac.index().roleRules(ref, w.Namespace)
	if err != nil {
		singular := map[string]string{"ClusterRole": "clusterrole", "Role": "role"}[ref.Kind]
		if singular == "" {
			return apierrors.NewInternalError(err)
		}
		return apierrors.NewNotFound(schema.GroupResource{Group: rbacv1.GroupName, Resource: singular}, ref.Name)
	}
	if err := x.holds(w.User, w.Namespace, rules); err != nil {
		return w.forbidden(err)
	}
	return nil
}

// holds says which of the rules the user does not have.
func (x *Access) holds(u User, namespace string, rules []rbacv1.PolicyRule) error {
	own, resolveErr := x.rbac.Rules(u, namespace)
	covered, missing := validation.Covers(own, rules)
	if covered {
		return nil
	}
	message := fmt.Sprintf("user %q (groups=%q) is attempting to grant RBAC permissions not currently held:\n%s",
		u.Name, u.Groups, describeRules(compactRules(missing)))
	if resolveErr != nil {
		message += fmt.Sprintf("; resolution errors: [%v]", resolveErr)
	}
	return errors.New(message)
}

// compactRules joins rules that differ in their verb alone.
func compactRules(rules []rbacv1.PolicyRule) []rbacv1.PolicyRule {
	var out []rbacv1.PolicyRule
next:
	for _, rule := range rules {
		for i := range out {
			if len(rule.NonResourceURLs) == 0 && slices.Equal(out[i].APIGroups, rule.APIGroups) &&
				slices.Equal(out[i].Resources, rule.Resources) && slices.Equal(out[i].ResourceNames, rule.ResourceNames) &&
				len(out[i].NonResourceURLs) == 0 {
				out[i].Verbs = append(slices.Clip(out[i].Verbs), rule.Verbs...)
				continue next
			}
		}
		out = append(out, rule)
	}
	return out
}

func everything() []rbacv1.PolicyRule {
	all := []string{"*"}
	return []rbacv1.PolicyRule{{Verbs: all, APIGroups: all, Resources: all}, {Verbs: all, NonResourceURLs: all}}
}

func aggregates(role *rbacv1.ClusterRole) bool {
	return role != nil && role.AggregationRule != nil && len(role.AggregationRule.ClusterRoleSelectors) > 0
}

// onlyForGarbageCollector says that nothing changes but what the garbage collector writes.
func onlyForGarbageCollector(obj, old resource.Object) bool {
	if old == nil {
		return false
	}
	same, ok := obj.DeepCopyObject().(resource.Object)
	if !ok {
		return false
	}
	same.SetOwnerReferences(old.GetOwnerReferences())
	same.SetFinalizers(old.GetFinalizers())
	same.SetManagedFields(old.GetManagedFields())
	same.SetResourceVersion(old.GetResourceVersion())
	return equality.Semantic.DeepEqual(same, old)
}
