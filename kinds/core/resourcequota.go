package core

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// quotaWarnings are told to who makes a quota: requests are never above limits.
func quotaWarnings(obj, old resource.Object) []string {
	if old != nil {
		return nil
	}
	hard := obj.(*corev1.ResourceQuota).Spec.Hard
	var list []string
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceStorage, corev1.ResourceEphemeralStorage} {
		requests, limits := corev1.DefaultResourceRequestsPrefix+name, "limits."+name
		request, asked := hard[requests]
		if bare, ok := hard[name]; !asked && ok && (name == corev1.ResourceCPU || name == corev1.ResourceMemory) {
			requests, request, asked = name, bare, true
		}
		if limit, ok := hard[limits]; asked && ok && request.Cmp(limit) > 0 {
			list = append(list, fmt.Sprintf("ResourceQuota %s (%s) should be less than %s (%s)", requests, request.String(), limits, limit.String()))
		}
	}
	return list
}

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
		Warnings:                 quotaWarnings,
		ChecksNameOnce:           true,
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
	bareScopes = []corev1.ResourceQuotaScope{ // they have no values
		corev1.ResourceQuotaScopeBestEffort, corev1.ResourceQuotaScopeNotBestEffort, corev1.ResourceQuotaScopeTerminating,
		corev1.ResourceQuotaScopeNotTerminating, corev1.ResourceQuotaScopeCrossNamespacePodAffinity,
	}
	scopedResources = []corev1.ResourceName{
		corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceRequestsCPU, corev1.ResourceRequestsMemory, corev1.ResourceLimitsCPU, corev1.ResourceLimitsMemory,
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
		if !slices.Contains(quotaScopes, scope) {
			errs = append(errs, field.Invalid(at, q.Spec.Scopes, "unsupported scope"))
		}
		errs = append(errs, misfits(q, scope, at, q.Spec.Scopes)...)
	}
	return append(errs, opposites(q.Spec.Scopes, q.Spec.Scopes, at)...)
}

// misfits finds the resources that a scope does not go with.
func misfits(q *corev1.ResourceQuota, scope corev1.ResourceQuotaScope, path *field.Path, shown any) field.ErrorList {
	var errs field.ErrorList
	for _, name := range meta.Sorted(q.Spec.Hard) {
		if isQuotaResource(name) && !scopeFits(scope, name) {
			errs = append(errs, field.Invalid(path, shown, "unsupported scope applied to resource"))
		}
	}
	return errs
}

// scopeFits: a scope says which pods count, so it goes with what pods have.
func scopeFits(scope corev1.ResourceQuotaScope, name corev1.ResourceName) bool {
	switch scope {
	case corev1.ResourceQuotaScopeBestEffort: // has no requests and no limits
		return name == corev1.ResourcePods
	case corev1.ResourceQuotaScopeVolumeAttributesClass:
		return name == corev1.ResourcePersistentVolumeClaims || name == corev1.ResourceRequestsStorage
	}
	return !slices.Contains(quotaScopes, scope) || name == corev1.ResourcePods || slices.Contains(scopedResources, name)
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

// validateScopeSelector names no indexes, as upstream's does not.
func validateScopeSelector(q *corev1.ResourceQuota, path *field.Path) field.ErrorList {
	if q.Spec.ScopeSelector == nil {
		return nil
	}
	var errs field.ErrorList
	var scopes []corev1.ResourceQuotaScope
	for _, r := range q.Spec.ScopeSelector.MatchExpressions {
		scopes = append(scopes, r.ScopeName)
		if !slices.Contains(quotaScopes, r.ScopeName) {
			errs = append(errs, field.Invalid(path.Child("scopeName"), r.ScopeName, "unsupported scope"))
		}
		errs = append(errs, misfits(q, r.ScopeName, path, q.Spec.ScopeSelector)...)
		if slices.Contains(bareScopes, r.ScopeName) && r.Operator != corev1.ScopeSelectorOpExists {
			errs = append(errs, field.Invalid(path.Child("operator"), r.Operator, "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, "+
				"ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"))
		}
		errs = append(errs, validateScopeValues(r, path)...)
	}
	return append(errs, opposites(scopes, q.Spec.Scopes, path)...)
}

func validateScopeValues(r corev1.ScopedResourceSelectorRequirement, path *field.Path) field.ErrorList {
	switch r.Operator {
	case corev1.ScopeSelectorOpIn, corev1.ScopeSelectorOpNotIn:
		if len(r.Values) == 0 {
			return field.ErrorList{field.Required(path.Child("values"), "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector")}
		}
	case corev1.ScopeSelectorOpExists, corev1.ScopeSelectorOpDoesNotExist:
		if len(r.Values) > 0 {
			return field.ErrorList{field.Invalid(path.Child("values"), r.Values, "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector")}
		}
	default:
		return field.ErrorList{field.Invalid(path.Child("operator"), r.Operator, "not a valid selector operator")}
	}
	return nil
}
