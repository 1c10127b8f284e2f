package core

import (
	"fmt"
	"strings"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	quantity "k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// LimitRange is the row of limitranges. What they do to pods is an admission step of the API server.
func LimitRange() *resource.Resource {
	return &resource.Resource{
		Version: "v1", Name: "limitranges", Singular: "limitrange", Kind: "LimitRange", ShortNames: []string{"limits"},
		Namespaced:               true,
		New:                      func() resource.Object { return &corev1.LimitRange{} },
		NewList:                  func() runtime.Object { return &corev1.LimitRangeList{} },
		Default:                  resource.Do(defaultLimitRange),
		PrepareCreate:            resource.Do(nameLimitRange),
		Validate:                 resource.Typed(validateLimitRange),
		ValidateUpdate:           resource.Typed2(func(limitRange, _ *corev1.LimitRange) field.ErrorList { return validateLimitRange(limitRange) }),
		AllowCreateOnUpdate:      true,
		AllowUnconditionalUpdate: true,
		Columns:                  meta.NameAndCreated(),
		Row:                      meta.NameAndCreatedRow,
	}
}

// nameLimitRange gives one without a name one that is as good as upstream's random one: made of its uid, and not its uid.
func nameLimitRange(limitRange *corev1.LimitRange) {
	if limitRange.Name == "" {
		limitRange.Name = uuid.NewSHA1(uuid.NameSpaceOID, []byte(limitRange.UID)).String()
	}
}

func defaultLimitRange(limitRange *corev1.LimitRange) {
	for i := range limitRange.Spec.Limits {
		limit := &limitRange.Spec.Limits[i]
		if limit.Type == corev1.LimitTypeContainer {
			limit.Default = withMissing(limit.Default, limit.Max)
			limit.DefaultRequest = withMissing(limit.DefaultRequest, limit.Default)
			limit.DefaultRequest = withMissing(limit.DefaultRequest, limit.Min)
		}
		for _, list := range []corev1.ResourceList{limit.Max, limit.Min, limit.Default, limit.DefaultRequest, limit.MaxLimitRequestRatio} {
			meta.RoundUp(list)
		}
	}
}

// withMissing adds what from has and list has not. It never returns nil.
func withMissing(list, from corev1.ResourceList) corev1.ResourceList {
	if list == nil {
		list = corev1.ResourceList{}
	}
	for name, value := range from {
		if _, ok := list[name]; !ok {
			list[name] = value.DeepCopy()
		}
	}
	return list
}

func validateLimitRange(limitRange *corev1.LimitRange) field.ErrorList {
	var errs field.ErrorList
	seen := map[corev1.LimitType]bool{}
	for i := range limitRange.Spec.Limits {
		limit, path := &limitRange.Spec.Limits[i], field.NewPath("spec", "limits").Index(i)
		errs = append(errs, validateLimitType(path.Child("type"), limit.Type)...)
		if seen[limit.Type] {
			errs = append(errs, field.Duplicate(path.Child("type"), limit.Type))
		}
		seen[limit.Type] = true
		errs = append(errs, validateLimitNames(path, limit)...)
		errs = append(errs, validateLimitValues(path, limit)...)
	}
	return errs
}

func validateLimitType(path *field.Path, kind corev1.LimitType) field.ErrorList {
	if errs := meta.Each(path, kind, validation.IsQualifiedName(string(kind))); len(errs) > 0 {
		return errs
	}
	switch kind {
	case corev1.LimitTypePod, corev1.LimitTypeContainer, corev1.LimitTypePersistentVolumeClaim:
		return nil
	}
	if !strings.Contains(string(kind), "/") {
		return field.ErrorList{field.Invalid(path, kind, "must be a standard limit type or fully qualified")}
	}
	return nil
}

func validateLimitNames(path *field.Path, limit *corev1.LimitRangeItem) field.ErrorList {
	var errs field.ErrorList
	rule := meta.ResourceName
	if limit.Type == corev1.LimitTypePod || limit.Type == corev1.LimitTypeContainer {
		rule = meta.ContainerResourceName
	}
	check := func(name string, list corev1.ResourceList) {
		for _, key := range meta.Sorted(list) {
			errs = append(errs, rule(path.Child(name).Key(string(key)), key)...)
		}
	}
	check("max", limit.Max)
	check("min", limit.Min)
	if limit.Type == corev1.LimitTypePod {
		if len(limit.Default) > 0 {
			errs = append(errs, field.Forbidden(path.Child("default"), "may not be specified when `type` is 'Pod'"))
		}
		if len(limit.DefaultRequest) > 0 {
			errs = append(errs, field.Forbidden(path.Child("defaultRequest"), "may not be specified when `type` is 'Pod'"))
		}
	} else {
		check("default", limit.Default)
		check("defaultRequest", limit.DefaultRequest)
	}
	if limit.Type == corev1.LimitTypePersistentVolumeClaim {
		_, low := limit.Min[corev1.ResourceStorage]
		_, high := limit.Max[corev1.ResourceStorage]
		if !low && !high {
			errs = append(errs, field.Required(path.Child("limits"), "either minimum or maximum storage value is required, but neither was provided"))
		}
	}
	check("maxLimitRequestRatio", limit.MaxLimitRequestRatio)
	return errs
}

// validateLimitValues wants min <= defaultRequest <= default <= max for each resource, as far as they are given.
func validateLimitValues(path *field.Path, limit *corev1.LimitRangeItem) field.ErrorList {
	all := corev1.ResourceList{}
	lists := []corev1.ResourceList{limit.Max, limit.Min, limit.MaxLimitRequestRatio}
	if limit.Type != corev1.LimitTypePod {
		lists = append(lists, limit.Default, limit.DefaultRequest)
	}
	for _, list := range lists {
		all = withMissing(all, list)
	}
	var errs field.ErrorList
	for _, name := range meta.Sorted(all) {
		errs = append(errs, validateLimitOrder(path, limit, name)...)
		errs = append(errs, validateLimitRatio(path, limit, name)...)
	}
	return errs
}

func validateLimitOrder(path *field.Path, limit *corev1.LimitRangeItem, name corev1.ResourceName) field.ErrorList {
	var errs field.ErrorList
	byDefault, request := limit.Default, limit.DefaultRequest
	if limit.Type == corev1.LimitTypePod {
		byDefault, request = nil, nil
	}
	for _, pair := range []struct {
		low, high         corev1.ResourceList
		lowName, highName string
		at                string
		shown             corev1.ResourceList
	}{
		{limit.Min, limit.Max, "min", "max", "min", limit.Min},
		{limit.Min, request, "min", "default request", "defaultRequest", request},
		{request, limit.Max, "default request", "max", "defaultRequest", request},
		{request, byDefault, "default request", "default limit", "defaultRequest", request},
		{limit.Min, byDefault, "min", "default", "default", limit.Min},
		{byDefault, limit.Max, "default", "max", "default", limit.Max},
	} {
		low, hasLow := pair.low[name]
		high, hasHigh := pair.high[name]
		if hasLow && hasHigh && low.Cmp(high) > 0 {
			shown := pair.shown[name]
			errs = append(errs, field.Invalid(path.Child(pair.at).Key(string(name)), shown,
				fmt.Sprintf("%s value %s is greater than %s value %s", pair.lowName, low.String(), pair.highName, high.String())))
		}
	}
	limitValue, hasLimit := byDefault[name]
	requestValue, hasRequest := request[name]
	if hasLimit && hasRequest && !meta.MayOvercommit(name) && limitValue.Cmp(requestValue) != 0 {
		errs = append(errs, field.Invalid(path.Child("defaultRequest").Key(string(name)), requestValue,
			fmt.Sprintf("default value %s must equal to defaultRequest value %s in %s", limitValue.String(), requestValue.String(), name)))
	}
	return errs
}

// validateLimitRatio wants a ratio of limit to request that min and max can reach.
func validateLimitRatio(path *field.Path, limit *corev1.LimitRangeItem, name corev1.ResourceName) field.ErrorList {
	var errs field.ErrorList
	ratio, ok := limit.MaxLimitRequestRatio[name]
	if !ok {
		return nil
	}
	at := path.Child("maxLimitRequestRatio").Key(string(name))
	if ratio.Cmp(*quantity.NewQuantity(1, quantity.DecimalSI)) < 0 {
		errs = append(errs, field.Invalid(at, ratio, fmt.Sprintf("ratio %s is less than 1", ratio.String())))
	}
	low, hasLow := limit.Min[name]
	high, hasHigh := limit.Max[name]
	if !hasLow || !hasHigh {
		return errs
	}
	reach := high.AsApproximateFloat64() / low.AsApproximateFloat64()
	if ratio.AsApproximateFloat64() > reach {
		errs = append(errs, field.Invalid(at, ratio, fmt.Sprintf("ratio %s is greater than max/min = %f", ratio.String(), reach)))
	}
	return errs
}
