package devices

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apiresource "k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/api/validate/content"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/podspec"
)

func validateDevice(path *field.Path, d, old *resourcev1.Device, perDevice bool) field.ErrorList {
	errs := meta.DNSLabel(path.Child("name"), d.Name)
	if n := len(d.Attributes) + len(d.Capacity); n > resourcev1.ResourceSliceMaxAttributesAndCapacitiesPerDevice {
		errs = append(errs, field.Invalid(path, n, fmt.Sprintf("the total number of attributes and capacities must not exceed %d", resourcev1.ResourceSliceMaxAttributesAndCapacitiesPerDevice)))
	}
	for _, name := range meta.Sorted(d.Attributes) {
		errs = append(errs, qualifiedName(path.Child("attributes"), string(name))...)
		errs = append(errs, attribute(path.Child("attributes").Key(short(string(name))), d.Attributes[name])...)
	}
	several := d.AllowMultipleAllocations != nil && *d.AllowMultipleAllocations
	for _, name := range meta.Sorted(d.Capacity) {
		errs = append(errs, qualifiedName(path.Child("capacity"), string(name))...)
		errs = append(errs, capacity(path.Child("capacity").Key(short(string(name))), d.Capacity[name], several)...)
	}
	if old == nil || !equality.Semantic.DeepEqual(old.Taints, d.Taints) {
		errs = append(errs, list(path.Child("taints"), d.Taints, resourcev1.DeviceTaintsMaxLength, taint)...)
	}
	errs = append(errs, set(path.Child("consumesCounters"), d.ConsumesCounters, resourcev1.ResourceSliceMaxDeviceCounterConsumptionsPerDevice,
		func(c resourcev1.DeviceCounterConsumption) string { return c.CounterSet },
		func(at *field.Path, c resourcev1.DeviceCounterConsumption) field.ErrorList {
			return counters(at, "counterSet", c.CounterSet, c.Counters, resourcev1.ResourceSliceMaxCountersPerDeviceCounterConsumption)
		})...)
	switch {
	case perDevice:
		errs = append(errs, deviceNodes(d.NodeName, d.NodeSelector, d.AllNodes, path)...)
	case d.NodeName != nil || d.NodeSelector != nil || d.AllNodes != nil:
		errs = append(errs, field.Invalid(path, nil, "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec"))
	}
	return append(errs, bindingConditions(path, d.BindingConditions, d.BindingFailureConditions)...)
}

func counters(path *field.Path, named, name string, all map[string]resourcev1.Counter, most int) field.ErrorList {
	var errs field.ErrorList
	if name == "" {
		errs = append(errs, field.Required(path.Child(named), ""))
	} else {
		errs = append(errs, meta.DNSLabel(path.Child(named), name)...)
	}
	at := path.Child("counters")
	switch n := len(all); {
	case n == 0:
		return append(errs, field.Required(at, ""))
	case n > most:
		return append(errs, field.TooMany(at, n, most))
	}
	for _, counter := range meta.Sorted(all) {
		errs = append(errs, meta.DNSLabel(at, counter)...)
	}
	return errs
}

// semver is what semver.org calls a version: three numbers, then parts of a pre-release and of a build.
var semver = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)` +
	`(-(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?` +
	`(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?$`)

func attribute(path *field.Path, a resourcev1.DeviceAttribute) field.ErrorList {
	var errs field.ErrorList
	values := 0
	for _, set := range []bool{a.BoolValue != nil, a.IntValue != nil, a.StringValue != nil, a.VersionValue != nil} {
		if set {
			values++
		}
	}
	const longest = resourcev1.DeviceAttributeMaxValueLength
	if s := a.StringValue; s != nil && len(*s) > longest {
		errs = append(errs, field.TooLong(path.Child("string"), "", longest))
	}
	if v := a.VersionValue; v != nil {
		if !semver.MatchString(*v) {
			errs = append(errs, field.Invalid(path.Child("version"), *v, "must be a string compatible with semver.org spec 2.0.0"))
		}
		if len(*v) > longest {
			errs = append(errs, field.TooLong(path.Child("version"), "", longest))
		}
	}
	switch {
	case values == 0:
		errs = append(errs, field.Invalid(path, "", "exactly one value must be specified"))
	case values > 1:
		errs = append(errs, field.Invalid(path, meta.Internal(a), "exactly one value must be specified"))
	}
	return errs
}

func taint(path *field.Path, t resourcev1.DeviceTaint) field.ErrorList {
	errs := metav1validation.ValidateLabelName(t.Key, path.Child("key"))
	if t.Value != "" {
		errs = append(errs, meta.Each(path.Child("value"), t.Value, utilvalidation.IsValidLabelValue(t.Value))...)
	}
	switch {
	case t.Effect == "":
		errs = append(errs, field.Required(path.Child("effect"), ""))
	case !slices.Contains(effects, t.Effect):
		errs = append(errs, field.NotSupported(path.Child("effect"), t.Effect, effects))
	}
	return errs
}

// short is a key of a map as errors show it: its beginning and its end, if it is longer than a key may be.
func short(key string) string {
	const longest = resourcev1.DeviceMaxDomainLength + 1 + resourcev1.DeviceMaxIDLength
	if len(key) <= longest {
		return key
	}
	rest := longest - len("...")
	return key[:(rest+1)/2] + "..." + key[len(key)-rest/2:]
}

// qualifiedName wants an identifier, or one after a domain.
func qualifiedName(path *field.Path, name string) field.ErrorList {
	parts := strings.Split(name, "/")
	switch len(parts) {
	case 1:
		return identifier(path, name)
	case 2:
	default:
		return nil // upstream takes it
	}
	var errs field.ErrorList
	if parts[0] == "" {
		errs = append(errs, field.Invalid(path, "", "the domain must not be empty"))
	} else {
		errs = append(errs, podspec.ValidateDriverName(parts[0], path)...)
	}
	if parts[1] == "" {
		return append(errs, field.Invalid(path, "", "the name must not be empty"))
	}
	return append(errs, identifier(path, parts[1])...)
}

func fullName(path *field.Path, name string) field.ErrorList {
	errs := qualifiedName(path, name)
	if !strings.Contains(name, "/") {
		errs = append(errs, field.Invalid(path, name, "a fully qualified name must be a domain and a name separated by a slash"))
	}
	return errs
}

func identifier(path *field.Path, id string) field.ErrorList {
	var errs field.ErrorList
	if len(id) > resourcev1.DeviceMaxIDLength {
		errs = append(errs, field.TooLong(path, "", resourcev1.DeviceMaxIDLength))
	}
	return append(errs, meta.Each(path, id, content.IsCIdentifier(id))...)
}

// capacity checks which parts of it may be asked for, if several claims may share the device.
func capacity(path *field.Path, c resourcev1.DeviceCapacity, several bool) field.ErrorList {
	p, at := c.RequestPolicy, path.Child("requestPolicy")
	switch {
	case p == nil:
		return nil
	case !several:
		return field.ErrorList{field.Forbidden(at, "allowMultipleAllocations must be true")}
	case len(p.ValidValues) > 0 && p.ValidRange != nil:
		return field.ErrorList{field.Forbidden(at, `exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time`)}
	case len(p.ValidValues) > 0 && p.Default == nil:
		return field.ErrorList{field.Required(at.Child("default"), "required when validValues is defined")}
	case len(p.ValidValues) > 0:
		return validValues(at.Child("validValues"), p.ValidValues, *p.Default, c.Value)
	case p.ValidRange != nil && p.Default == nil:
		return field.ErrorList{field.Required(at.Child("default"), "required when validRange is defined")}
	case p.ValidRange != nil:
		return validRange(at.Child("validRange"), p.ValidRange, *p.Default, c.Value)
	}
	return nil
}

// mostValues is how many amounts of a capacity may be listed.
const mostValues = 10

func validValues(path *field.Path, values []apiresource.Quantity, usual, most apiresource.Quantity) field.ErrorList {
	var errs field.ErrorList
	for i := 1; i < len(values); i++ {
		if values[i-1].Cmp(values[i]) > 0 {
			errs = append(errs, field.Invalid(path.Index(i), values[i].String(), "values must be sorted in ascending order"))
		}
	}
	found := false
	errs = append(errs, set(path, values, mostValues,
		func(q apiresource.Quantity) string { return strconv.FormatInt(q.Value(), 10) },
		func(at *field.Path, q apiresource.Quantity) field.ErrorList {
			found = found || q.Cmp(usual) == 0
			if q.Cmp(most) > 0 {
				return field.ErrorList{field.Invalid(at, q.String(), fmt.Sprintf("option is larger than capacity value: %s", most.String()))}
			}
			return nil
		})...)
	if !found {
		errs = append(errs, field.Invalid(path, usual.String(), "default value is not valid according to the requestPolicy"))
	}
	return errs
}

func validRange(path *field.Path, r *resourcev1.CapacityRequestPolicyRange, usual, most apiresource.Quantity) field.ErrorList {
	least := r.Min
	if least == nil {
		return field.ErrorList{field.Required(path.Child("min"), "required when validRange is defined")}
	}
	var errs field.ErrorList
	refuse := func(bad bool, name string, value apiresource.Quantity, format string, than apiresource.Quantity) {
		if bad {
			errs = append(errs, field.Invalid(path.Child(name), value.String(), fmt.Sprintf(format, than.String())))
		}
	}
	refuse(least.Cmp(most) > 0, "min", *least, "min is larger than capacity value: %s", most)
	refuse(usual.Cmp(*least) < 0, "min", usual, "default is less than min: %s", *least)
	if highest := r.Max; highest != nil {
		refuse(least.Cmp(*highest) > 0, "max", *least, "min is larger than max: %s", *highest)
		refuse(highest.Cmp(most) > 0, "max", *highest, "max is larger than capacity value: %s", most)
		refuse(usual.Cmp(*highest) > 0, "max", usual, "default is more than max: %s", *highest)
	}
	if r.Step == nil || r.Step.Value() == 0 { // a step of nothing leaves nothing to check
		return errs
	}
	next := least.DeepCopy()
	next.Add(*r.Step)
	if next.Cmp(most) > 0 {
		errs = append(errs, field.Invalid(path.Child("step"), r.Step.String(), fmt.Sprintf("one step %s is larger than capacity value: %s", next.String(), most.String())))
	}
	values := []apiresource.Quantity{usual}
	if r.Max != nil {
		values = append(values, *r.Max)
	}
	for _, value := range values {
		if (value.Value()-least.Value())%r.Step.Value() != 0 {
			errs = append(errs, field.Invalid(path.Child("step"), value.String(), fmt.Sprintf("value is not a multiple of a given step (%s) from (%s)", r.Step.String(), least.String())))
		}
	}
	return errs
}
