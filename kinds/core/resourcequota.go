package core

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// ResourceQuota is the row of resourcequotas. What counts against them is in kinds/quota.
func ResourceQuota() *resource.Resource {
	return &resource.Resource{
		Version: "v1", Name: "resourcequotas", Singular: "resourcequota", Kind: "ResourceQuota", ShortNames: []string{"quota"},
		Namespaced: true,
		New:        func() resource.Object { return &corev1.ResourceQuota{} },
		NewList:    func() runtime.Object { return &corev1.ResourceQuotaList{} },
		Default: resource.Do(func(q *corev1.ResourceQuota) {
			meta.RoundUp(q.Spec.Hard)
			meta.RoundUp(q.Status.Hard)
			meta.RoundUp(q.Status.Used)
		}),
		PrepareCreate:            resource.Do(func(q *corev1.ResourceQuota) { q.Status = corev1.ResourceQuotaStatus{} }),
		PrepareUpdate:            resource.Do2(func(q, old *corev1.ResourceQuota) { q.Status = *old.Status.DeepCopy() }),
		Validate:                 resource.Typed(validateResourceQuota),
		ValidateUpdate:           resource.Typed2(validateResourceQuotaUpdate),
		AllowUnconditionalUpdate: true,
		Status: &resource.Subresource{
			Name: "status", Verbs: []string{"get", "patch", "update"},
			PrepareUpdate: resource.Do2(func(q, old *corev1.ResourceQuota) { q.Spec = *old.Spec.DeepCopy() }),
			ValidateUpdate: resource.Typed2(func(q, _ *corev1.ResourceQuota) field.ErrorList {
				path := field.NewPath("status")
				return append(validateQuotaList(path.Child("hard"), q.Status.Hard), validateQuotaList(path.Child("used"), q.Status.Used)...)
			}),
		},
		Columns: []resource.Column{
			meta.Name(),
			meta.Column("Request", "Request represents a minimum amount of cpu/memory that a container may consume."),
			meta.Column("Limit", "Limits control the maximum amount of cpu/memory that a container may use independent of contention on the node."),
			meta.Age(),
		},
		Row: resource.Typed(resourceQuotaRow),
	}
}

func resourceQuotaRow(q *corev1.ResourceQuota) []any {
	var requests, limits []string
	for _, name := range meta.Sorted(q.Status.Hard) {
		used, hard := q.Status.Used[name], q.Status.Hard[name]
		cell := fmt.Sprintf("%s: %s/%s", name, used.String(), hard.String())
		if strings.HasPrefix(string(name), "limits.") {
			limits = append(limits, cell)
		} else {
			requests = append(requests, cell)
		}
	}
	return []any{q.Name, strings.Join(requests, ", "), strings.Join(limits, ", "), meta.Since(q.CreationTimestamp)}
}

func validateResourceQuota(q *corev1.ResourceQuota) field.ErrorList {
	path := field.NewPath("spec")
	errs := validateQuotaList(path.Child("hard"), q.Spec.Hard)
	errs = append(errs, validateQuotaScopes(q, path)...)
	return append(errs, validateScopeSelector(q, path.Child("scopeSelector", "matchExpressions"))...)
}

func validateResourceQuotaUpdate(q, old *corev1.ResourceQuota) field.ErrorList {
	errs := validateResourceQuota(q)
	now, before := slices.Sorted(slices.Values(q.Spec.Scopes)), slices.Sorted(slices.Values(old.Spec.Scopes))
	if !slices.Equal(slices.Compact(now), slices.Compact(before)) {
		errs = append(errs, field.Invalid(field.NewPath("spec", "scopes"), q.Spec.Scopes, "field is immutable"))
	}
	return errs
}

func validateQuotaList(path *field.Path, list corev1.ResourceList) field.ErrorList {
	var errs field.ErrorList
	for _, name := range meta.Sorted(list) {
		at := path.Key(string(name))
		errs = append(errs, meta.ResourceName(at, name)...)
		if !strings.Contains(string(name), "/") && !isQuotaResource(name) {
			errs = append(errs, field.Invalid(at, name, "must be a standard resource for quota"))
		}
		errs = append(errs, meta.Quantity(at, name, list[name])...)
	}
	return errs
}

// quotaResources can be limited in a namespace, beside huge pages, counts of objects ("count/pods") and what has a domain.
var quotaResources = []corev1.ResourceName{
	corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage,
	corev1.ResourceRequestsCPU, corev1.ResourceRequestsMemory, corev1.ResourceRequestsStorage, corev1.ResourceRequestsEphemeralStorage,
	corev1.ResourceLimitsCPU, corev1.ResourceLimitsMemory, corev1.ResourceLimitsEphemeralStorage,
	corev1.ResourcePods, corev1.ResourceQuotas, corev1.ResourceServices, corev1.ResourceReplicationControllers, corev1.ResourceSecrets,
	corev1.ResourcePersistentVolumeClaims, corev1.ResourceConfigMaps, corev1.ResourceServicesNodePorts, corev1.ResourceServicesLoadBalancers,
}

func isQuotaResource(name corev1.ResourceName) bool {
	return slices.Contains(quotaResources, name) || meta.IsHugePages(name) || strings.HasPrefix(string(name), corev1.ResourceRequestsHugePagesPrefix)
}

var (
	quotaScopes = []corev1.ResourceQuotaScope{
		corev1.ResourceQuotaScopeBestEffort, corev1.ResourceQuotaScopeCrossNamespacePodAffinity, corev1.ResourceQuotaScopeNotBestEffort,
		corev1.ResourceQuotaScopeNotTerminating, corev1.ResourceQuotaScopePriorityClass, corev1.ResourceQuotaScopeTerminating,
		corev1.ResourceQuotaScopeVolumeAttributesClass,
	}
	oppositeScopes = [][2]corev1.ResourceQuotaScope{
		{corev1.ResourceQuotaScopeBestEffort, corev1.ResourceQuotaScopeNotBestEffort},
		{corev1.ResourceQuotaScopeTerminating, corev1.ResourceQuotaScopeNotTerminating},
	}
)

func validateQuotaScopes(q *corev1.ResourceQuota, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	at := path.Child("scopes")
	for _, scope := range q.Spec.Scopes {
		errs = append(errs, validateQuotaScope(q, scope, at)...)
	}
	return append(errs, opposites(q.Spec.Scopes, q.Spec.Scopes, at)...)
}

func validateQuotaScope(q *corev1.ResourceQuota, scope corev1.ResourceQuotaScope, path *field.Path) field.ErrorList {
	if !slices.Contains(quotaScopes, scope) {
		return field.ErrorList{field.Invalid(path, scope, "unsupported scope")}
	}
	for _, name := range meta.Sorted(q.Spec.Hard) {
		if !scopeFits(scope, name) {
			return field.ErrorList{field.Invalid(path, scope, "unsupported scope applied to resource")}
		}
	}
	return nil
}

// scopeFits: a scope says which pods count, so it goes with what pods have.
func scopeFits(scope corev1.ResourceQuotaScope, name corev1.ResourceName) bool {
	podCount := name == corev1.ResourcePods || name == "count/pods"
	switch scope {
	case corev1.ResourceQuotaScopeBestEffort: // has no requests and no limits
		return podCount
	case corev1.ResourceQuotaScopeVolumeAttributesClass:
		return name == corev1.ResourcePersistentVolumeClaims || strings.HasSuffix(string(name), "storage")
	}
	text := string(name)
	return podCount || meta.IsExtended(name) || strings.HasPrefix(text, "requests.") || strings.HasPrefix(text, "limits.") ||
		name == corev1.ResourceCPU || name == corev1.ResourceMemory || name == corev1.ResourceEphemeralStorage || meta.IsHugePages(name)
}

func opposites(scopes []corev1.ResourceQuotaScope, shown any, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, pair := range oppositeScopes {
		if slices.Contains(scopes, pair[0]) && slices.Contains(scopes, pair[1]) {
			errs = append(errs, field.Invalid(path, shown, "conflicting scopes"))
		}
	}
	return errs
}

func validateScopeSelector(q *corev1.ResourceQuota, path *field.Path) field.ErrorList {
	if q.Spec.ScopeSelector == nil {
		return nil
	}
	var errs field.ErrorList
	var scopes []corev1.ResourceQuotaScope
	for i, r := range q.Spec.ScopeSelector.MatchExpressions {
		at := path.Index(i)
		errs = append(errs, validateQuotaScope(q, r.ScopeName, at.Child("scopeName"))...)
		scopes = append(scopes, r.ScopeName)
		exists := r.Operator == corev1.ScopeSelectorOpExists || r.Operator == corev1.ScopeSelectorOpDoesNotExist
		switch {
		case r.ScopeName != corev1.ResourceQuotaScopePriorityClass && r.ScopeName != corev1.ResourceQuotaScopeVolumeAttributesClass && r.Operator != corev1.ScopeSelectorOpExists:
			errs = append(errs, field.Invalid(at.Child("operator"), r.Operator, "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, "+
				"ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"))
		case exists && len(r.Values) > 0:
			errs = append(errs, field.Invalid(at.Child("values"), r.Values, "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"))
		case !exists && r.Operator != corev1.ScopeSelectorOpIn && r.Operator != corev1.ScopeSelectorOpNotIn:
			errs = append(errs, field.Invalid(at.Child("operator"), r.Operator, "not a valid selector operator"))
		case !exists && len(r.Values) == 0:
			errs = append(errs, field.Required(at.Child("values"), "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"))
		}
		for _, value := range r.Values {
			for _, message := range utilvalidation.IsValidLabelValue(value) {
				errs = append(errs, field.Invalid(at.Child("values"), value, message))
			}
		}
	}
	return append(errs, opposites(scopes, q.Spec.ScopeSelector.MatchExpressions, path.Child("scopeName"))...)
}
