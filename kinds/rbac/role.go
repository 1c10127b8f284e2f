package rbac

import (
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/validation/path"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// Role is the row of roles. Whether the writer may grant what the role holds is decided by the API server.
func Role() *resource.Resource {
	return &resource.Resource{
		Group: rbacv1.GroupName, Version: "v1", Name: "roles", Singular: "role", Kind: "Role", Namespaced: true,
		New:                      func() resource.Object { return &rbacv1.Role{} },
		NewList:                  func() runtime.Object { return &rbacv1.RoleList{} },
		Validate:                 resource.Typed(validateRole),
		ValidateUpdate:           resource.Typed2(func(role, _ *rbacv1.Role) field.ErrorList { return validateRole(role) }),
		ValidateName:             validateName,
		AllowCreateOnUpdate:      true,
		AllowUnconditionalUpdate: true,
		Columns:                  meta.NameAndCreated(),
		Row:                      meta.NameAndCreatedRow,
	}
}

// ClusterRole is the row of clusterroles. The rules of one with an aggregationRule are written by a controller: see Aggregate.
func ClusterRole() *resource.Resource {
	return &resource.Resource{
		Group: rbacv1.GroupName, Version: "v1", Name: "clusterroles", Singular: "clusterrole", Kind: "ClusterRole",
		New:                      func() resource.Object { return &rbacv1.ClusterRole{} },
		NewList:                  func() runtime.Object { return &rbacv1.ClusterRoleList{} },
		Validate:                 resource.Typed(func(role *rbacv1.ClusterRole) field.ErrorList { return validateClusterRole(role, nil) }),
		ValidateUpdate:           resource.Typed2(validateClusterRole),
		ValidateName:             validateName,
		AllowCreateOnUpdate:      true,
		AllowUnconditionalUpdate: true,
		Columns:                  meta.NameAndCreated(),
		Row:                      meta.NameAndCreatedRow,
	}
}

// validateName lets pass all that can be a part of a URL's path: "system:node" is a role.
func validateName(name string, _ bool) []string { return path.IsValidPathSegmentName(name) }

func validateRole(role *rbacv1.Role) field.ErrorList {
	var errs field.ErrorList
	for i, rule := range role.Rules {
		errs = append(errs, validateRule(field.NewPath("rules").Index(i), rule, true)...)
	}
	return errs
}

// validateClusterRole lets pass selectors with values that older rules let in, if old had such. old may be nil.
func validateClusterRole(role, old *rbacv1.ClusterRole) field.ErrorList {
	var errs field.ErrorList
	for i, rule := range role.Rules {
		errs = append(errs, validateRule(field.NewPath("rules").Index(i), rule, false)...)
	}
	if role.AggregationRule == nil {
		return errs
	}
	at := field.NewPath("aggregationRule", "clusterRoleSelectors")
	selectors := role.AggregationRule.ClusterRoleSelectors
	if len(selectors) == 0 {
		errs = append(errs, field.Required(at, "at least one clusterRoleSelector required if aggregationRule is non-nil"))
	}
	lenient := metav1validation.LabelSelectorValidationOptions{AllowInvalidLabelValueInSelector: hadInvalidSelector(old)}
	for i := range selectors {
		errs = append(errs, metav1validation.ValidateLabelSelector(&selectors[i], lenient, at.Index(i))...)
		if selector, err := metav1.LabelSelectorAsSelector(&selectors[i]); err != nil {
			errs = append(errs, field.Invalid(at.Index(i), selector, "invalid label selector."))
		}
	}
	return errs
}

func hadInvalidSelector(old *rbacv1.ClusterRole) bool {
	if old == nil || old.AggregationRule == nil {
		return false
	}
	for i := range old.AggregationRule.ClusterRoleSelectors {
		selector := &old.AggregationRule.ClusterRoleSelectors[i]
		if len(metav1validation.ValidateLabelSelector(selector, metav1validation.LabelSelectorValidationOptions{}, nil)) > 0 {
			return true
		}
	}
	return false
}

// validateRule wants a rule to be about resources or about URLs, and about URLs for the whole cluster only.
func validateRule(path *field.Path, rule rbacv1.PolicyRule, namespaced bool) field.ErrorList {
	var errs field.ErrorList
	if len(rule.Verbs) == 0 {
		errs = append(errs, field.Required(path.Child("verbs"), "verbs must contain at least one value"))
	}
	if urls := rule.NonResourceURLs; len(urls) > 0 {
		if namespaced {
			errs = append(errs, field.Invalid(path.Child("nonResourceURLs"), urls, "namespaced rules cannot apply to non-resource URLs"))
		}
		if len(rule.APIGroups) > 0 || len(rule.Resources) > 0 || len(rule.ResourceNames) > 0 {
			errs = append(errs, field.Invalid(path.Child("nonResourceURLs"), urls, "rules cannot apply to both regular resources and non-resource URLs"))
		}
		return errs
	}
	if len(rule.APIGroups) == 0 {
		errs = append(errs, field.Required(path.Child("apiGroups"), "resource rules must supply at least one api group"))
	}
	if len(rule.Resources) == 0 {
		errs = append(errs, field.Required(path.Child("resources"), "resource rules must supply at least one resource"))
	}
	return errs
}
