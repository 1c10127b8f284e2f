package devices

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	resourcev1 "k8s.io/api/resource/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/runtime"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/podspec"
)

// list checks each item, unless there are too many to look at.
func list[T any](path *field.Path, items []T, most int, check func(*field.Path, T) field.ErrorList) field.ErrorList {
	if most >= 0 && len(items) > most {
		return field.ErrorList{field.TooMany(path, len(items), most)}
	}
	var errs field.ErrorList
	for i, item := range items {
		errs = append(errs, check(path.Index(i), item)...)
	}
	return errs
}

// set is a list in which no two items have one key.
func set[T any, K comparable](path *field.Path, items []T, most int, key func(T) K, check func(*field.Path, T) field.ErrorList) field.ErrorList {
	errs := list(path, items, most, check)
	if most >= 0 && len(items) > most {
		return errs
	}
	seen := map[K]bool{}
	for i, item := range items {
		if seen[key(item)] {
			errs = append(errs, field.Duplicate(path.Index(i), key(item)))
		}
		seen[key(item)] = true
	}
	return errs
}

func itself[T any](item T) T { return item }

func validateClaim(s *resourcev1.ResourceClaimSpec, path *field.Path) field.ErrorList {
	claim, path := &s.Devices, path.Child("devices")
	names := requestNames(claim)
	errs := set(path.Child("requests"), claim.Requests, resourcev1.DeviceRequestsMaxSize,
		func(r resourcev1.DeviceRequest) string { return r.Name }, request)
	errs = append(errs, list(path.Child("constraints"), claim.Constraints, resourcev1.DeviceConstraintsMaxSize,
		func(at *field.Path, c resourcev1.DeviceConstraint) field.ErrorList { return constraint(at, c, names) })...)
	return append(errs, list(path.Child("config"), claim.Config, resourcev1.DeviceConfigMaxSize,
		func(at *field.Path, c resourcev1.DeviceClaimConfiguration) field.ErrorList {
			return append(references(at.Child("requests"), c.Requests, names), configuration(at, c.Opaque)...)
		})...)
}

// requestNames are the names by which requests are spoken of: their own, or "request/alternative".
func requestNames(claim *resourcev1.DeviceClaim) []string {
	var names []string
	for _, r := range claim.Requests {
		names = append(names, r.Name)
		for _, sub := range r.FirstAvailable {
			names = append(names, r.Name+"/"+sub.Name)
		}
	}
	return names
}

func request(path *field.Path, r resourcev1.DeviceRequest) field.ErrorList {
	errs := meta.DNSLabel(path.Child("name"), r.Name)
	const one = "exactly one of `exactly` or `firstAvailable` is required"
	switch {
	case r.Exactly == nil && len(r.FirstAvailable) == 0:
		return append(errs, field.Required(path, one))
	case r.Exactly != nil && len(r.FirstAvailable) > 0:
		return append(errs, field.Invalid(path, nil, one+", but multiple fields are set"))
	case r.Exactly != nil:
		e := r.Exactly
		return append(errs, wanted(path.Child("exactly"), e.DeviceClassName, e.Selectors, allocation{e.AllocationMode, e.Count}, e.Tolerations)...)
	}
	return append(errs, set(path.Child("firstAvailable"), r.FirstAvailable, resourcev1.FirstAvailableDeviceRequestMaxSize,
		func(sub resourcev1.DeviceSubRequest) string { return sub.Name },
		func(at *field.Path, sub resourcev1.DeviceSubRequest) field.ErrorList {
			return append(meta.DNSLabel(at.Child("name"), sub.Name),
				wanted(at, sub.DeviceClassName, sub.Selectors, allocation{sub.AllocationMode, sub.Count}, sub.Tolerations)...)
		})...)
}

// allocation is how many devices a request is for.
type allocation struct {
	mode  resourcev1.DeviceAllocationMode
	count int64
}

func wanted(path *field.Path, class string, chosen []resourcev1.DeviceSelector, a allocation, tolerations []resourcev1.DeviceToleration) field.ErrorList {
	var errs field.ErrorList
	if at := path.Child("deviceClassName"); class == "" {
		errs = append(errs, field.Required(at, ""))
	} else {
		errs = append(errs, meta.Each(at, class, utilvalidation.IsDNS1123Subdomain(class))...)
	}
	errs = append(errs, selectors(chosen, path.Child("selectors"))...)
	const all, exact = resourcev1.DeviceAllocationModeAll, resourcev1.DeviceAllocationModeExactCount
	switch {
	case a.mode == all && a.count != 0:
		errs = append(errs, field.Invalid(path.Child("count"), a.count, fmt.Sprintf("must not be specified when allocationMode is '%s'", a.mode)))
	case a.mode == exact && a.count <= 0:
		errs = append(errs, field.Invalid(path.Child("count"), a.count, "must be greater than zero"))
	case a.mode != all && a.mode != exact:
		errs = append(errs, field.NotSupported(path.Child("allocationMode"), a.mode, []resourcev1.DeviceAllocationMode{all, exact}))
	}
	for i, t := range tolerations {
		errs = append(errs, toleration(path.Child("tolerations").Index(i), t)...)
	}
	return errs
}

func selectors(all []resourcev1.DeviceSelector, path *field.Path) field.ErrorList {
	return list(path, all, resourcev1.DeviceSelectorsMaxSize, func(at *field.Path, s resourcev1.DeviceSelector) field.ErrorList {
		switch {
		case s.CEL == nil:
			return field.ErrorList{field.Required(at.Child("cel"), "")}
		case len(s.CEL.Expression) > resourcev1.CELSelectorExpressionMaxLength:
			return field.ErrorList{field.TooLong(at.Child("cel", "expression"), "", resourcev1.CELSelectorExpressionMaxLength)}
		}
		return selector(at.Child("cel", "expression"), s.CEL.Expression)
	})
}

func constraint(path *field.Path, c resourcev1.DeviceConstraint, names []string) field.ErrorList {
	errs := references(path.Child("requests"), c.Requests, names)
	switch {
	case c.MatchAttribute != nil:
		return append(errs, fullName(path.Child("matchAttribute"), string(*c.MatchAttribute))...)
	case c.DistinctAttribute != nil:
		return append(errs, fullName(path.Child("distinctAttribute"), string(*c.DistinctAttribute))...)
	}
	return append(errs, field.Required(path, `exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set`))
}

// references checks names of requests.
func references(path *field.Path, all, names []string) field.ErrorList {
	return set(path, all, resourcev1.DeviceRequestsMaxSize, itself[string], func(at *field.Path, name string) field.ErrorList {
		return reference(at, name, names)
	})
}

func reference(path *field.Path, name string, names []string) field.ErrorList {
	const unknown = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
	parts := strings.Split(name, "/")
	if len(parts) > 2 {
		return field.ErrorList{field.Invalid(path, name, unknown)}
	}
	var errs field.ErrorList
	for _, part := range parts {
		errs = append(errs, meta.DNSLabel(path, part)...)
	}
	if !slices.Contains(names, name) {
		errs = append(errs, field.Invalid(path, name, unknown))
	}
	return errs
}

func configuration(path *field.Path, opaque *resourcev1.OpaqueDeviceConfiguration) field.ErrorList {
	at := path.Child("opaque")
	if opaque == nil {
		return field.ErrorList{field.Required(at, "")}
	}
	errs := podspec.ValidateDriverName(opaque.Driver, at.Child("driver"))
	return append(errs, jsonObject(at.Child("parameters"), opaque.Parameters, resourcev1.OpaqueParametersMaxLength)...)
}

// jsonObject wants an object of somebody else's, of which nothing is known but its size.
func jsonObject(path *field.Path, raw runtime.RawExtension, longest int) field.ErrorList {
	switch {
	case len(raw.Raw) == 0:
		return field.ErrorList{field.Required(path, "")}
	case len(raw.Raw) > longest:
		return field.ErrorList{field.TooLong(path, "", longest)}
	}
	var v any
	if err := json.Unmarshal(raw.Raw, &v); err != nil {
		return field.ErrorList{field.Invalid(path, "<value omitted>", fmt.Sprintf("error parsing data as JSON: %v", err))}
	}
	if v == nil {
		return field.ErrorList{field.Required(path, "")}
	}
	if _, ok := v.(map[string]any); !ok {
		return field.ErrorList{field.Invalid(path, "<value omitted>", "must be a valid JSON object")}
	}
	return nil
}

// effects of taints, in the order in which errors list them.
var effects = []resourcev1.DeviceTaintEffect{resourcev1.DeviceTaintEffectNoExecute, resourcev1.DeviceTaintEffectNoSchedule, resourcev1.DeviceTaintEffectNone}

func toleration(path *field.Path, t resourcev1.DeviceToleration) field.ErrorList {
	var errs field.ErrorList
	if t.Key != "" {
		errs = append(errs, metav1validation.ValidateLabelName(t.Key, path.Child("key"))...)
	}
	const exists, equal = resourcev1.DeviceTolerationOpExists, resourcev1.DeviceTolerationOpEqual
	switch {
	case t.Operator == exists && t.Value != "":
		errs = append(errs, field.Invalid(path.Child("value"), t.Value, "must be empty for operator `Exists`"))
	case t.Operator == exists:
	case t.Operator == equal:
		errs = append(errs, meta.Each(path.Child("value"), t.Value, utilvalidation.IsValidLabelValue(t.Value))...)
	case t.Operator == "":
		errs = append(errs, field.Required(path.Child("operator"), ""))
	default:
		errs = append(errs, field.NotSupported(path.Child("operator"), t.Operator, []resourcev1.DeviceTolerationOperator{equal, exists}))
	}
	if t.Effect != "" && !slices.Contains(effects, t.Effect) {
		errs = append(errs, field.NotSupported(path.Child("effect"), t.Effect, effects))
	}
	return errs
}
