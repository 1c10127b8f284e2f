package devices

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/podspec"
	"proa/kinds/resource"
)

// ResourceSlice is the row of resourceslices: devices of a pool, as their driver publishes them.
func ResourceSlice() *resource.Resource {
	doc := resourcev1.ResourceSliceSpec{}.SwaggerDoc()
	return &resource.Resource{
		Group: resourcev1.GroupName, Version: "v1", Name: "resourceslices", Singular: "resourceslice", Kind: "ResourceSlice",
		New:     func() resource.Object { return &resourcev1.ResourceSlice{} },
		NewList: func() runtime.Object { return &resourcev1.ResourceSliceList{} },
		Stamp:   stampTaints,
		PrepareCreate: resource.Do(func(s *resourcev1.ResourceSlice) {
			s.Generation = 1
			dropUnserved(&s.Spec)
		}),
		PrepareUpdate: resource.Do2(func(s, old *resourcev1.ResourceSlice) {
			meta.CountGeneration(s, old, !equality.Semantic.DeepEqual(s.Spec, old.Spec)) // what is dropped counts, as upstream has it
			dropUnserved(&s.Spec)
		}),
		Validate:       resource.Typed(func(s *resourcev1.ResourceSlice) field.ErrorList { return validateSlice(&s.Spec, nil) }),
		ChecksNameOnce: true,
		ValidateUpdate: resource.Typed2(func(s, old *resourcev1.ResourceSlice) field.ErrorList {
			return validateSlice(&s.Spec, &old.Spec)
		}),
		Warnings:                 sliceWarnings,
		AllowUnconditionalUpdate: true,
		FieldLabels:              []string{resourcev1.ResourceSliceSelectorNodeName, resourcev1.ResourceSliceSelectorDriver},
		FieldRefusal:             "field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: %s",
		Fields: resource.Typed(func(s *resourcev1.ResourceSlice) fields.Set {
			return fields.Set{resourcev1.ResourceSliceSelectorNodeName: nodeName(s), resourcev1.ResourceSliceSelectorDriver: s.Spec.Driver}
		}),
		Columns: []resource.Column{
			meta.Name(),
			meta.Column("Node", doc["nodeName"]),
			meta.Column("Driver", doc["driver"]),
			meta.Column("Pool", resourcev1.ResourcePool{}.SwaggerDoc()["name"]),
			meta.Age(),
		},
		Row: resource.Typed(func(s *resourcev1.ResourceSlice) []any {
			return []any{s.Name, nodeName(s), s.Spec.Driver, s.Spec.Pool.Name, meta.Since(s.CreationTimestamp)}
		}),
	}
}

func nodeName(s *resourcev1.ResourceSlice) string {
	if s.Spec.NodeName == nil {
		return ""
	}
	return *s.Spec.NodeName
}

// dropUnserved removes what upstream's release does not take by default.
func dropUnserved(s *resourcev1.ResourceSliceSpec) {
	for i := range s.Devices {
		d := &s.Devices[i]
		d.NodeAllocatableResourceMappings = nil
		for name, a := range d.Attributes {
			a.BoolValues, a.IntValues, a.StringValues, a.VersionValues = nil, nil, nil, nil
			d.Attributes[name] = a
		}
	}
}

// stampTaints says since when devices are tainted: as upstream has it, since the last write that did not say so.
func stampTaints(obj resource.Object, now time.Time) {
	s := obj.(*resourcev1.ResourceSlice)
	for i := range s.Spec.Devices {
		for j := range s.Spec.Devices[i].Taints {
			if t := &s.Spec.Devices[i].Taints[j]; t.TimeAdded == nil {
				at := metav1.NewTime(now).Rfc3339Copy()
				t.TimeAdded = &at
			}
		}
	}
}

func lookupDevice(s *resourcev1.ResourceSliceSpec, name string) *resourcev1.Device {
	if s == nil {
		return nil
	}
	if i := slices.IndexFunc(s.Devices, func(d resourcev1.Device) bool { return d.Name == name }); i >= 0 {
		return &s.Devices[i]
	}
	return nil
}

func sliceWarnings(obj, _ resource.Object) []string {
	s, ok := obj.(*resourcev1.ResourceSlice)
	if !ok || s.Spec.Driver == strings.ToLower(s.Spec.Driver) {
		return nil
	}
	return []string{fmt.Sprintf("spec.driver: driver names should be lowercase; %q contains uppercase characters", s.Spec.Driver)}
}

func validateSlice(s, old *resourcev1.ResourceSliceSpec) field.ErrorList {
	path := field.NewPath("spec")
	errs := podspec.ValidateDriverName(s.Driver, path.Child("driver"))
	errs = append(errs, validatePool(&s.Pool, path.Child("pool"))...)
	if old != nil {
		errs = append(errs, validation.ValidateImmutableField(s.Pool.Name, old.Pool.Name, path.Child("pool", "name"))...)
		errs = append(errs, validation.ValidateImmutableField(s.Driver, old.Driver, path.Child("driver"))...)
		errs = append(errs, validation.ValidateImmutableField(s.NodeName, old.NodeName, path.Child("nodeName"))...)
	}
	errs = append(errs, sliceNodes(s, path)...)
	if s.SharedCounters != nil && s.Devices != nil {
		errs = append(errs, field.Invalid(path, "", "only one of `sharedCounters` or `devices` is allowed"))
	}
	most := resourcev1.ResourceSliceMaxDevices
	if slices.ContainsFunc(s.Devices, func(d resourcev1.Device) bool { return len(d.Taints) > 0 || len(d.ConsumesCounters) > 0 }) {
		most = resourcev1.ResourceSliceMaxDevicesWithAdvancedFeatures
	}
	errs = append(errs, set(path.Child("devices"), s.Devices, most, func(d resourcev1.Device) string { return d.Name },
		func(at *field.Path, d resourcev1.Device) field.ErrorList {
			return validateDevice(at, &d, lookupDevice(old, d.Name), s.PerDeviceNodeSelection != nil && *s.PerDeviceNodeSelection)
		})...)
	return append(errs, set(path.Child("sharedCounters"), s.SharedCounters, resourcev1.ResourceSliceMaxCounterSets,
		func(c resourcev1.CounterSet) string { return c.Name },
		func(at *field.Path, c resourcev1.CounterSet) field.ErrorList {
			return counters(at, "name", c.Name, c.Counters, resourcev1.ResourceSliceMaxCountersPerCounterSet)
		})...)
}

func validatePool(p *resourcev1.ResourcePool, path *field.Path) field.ErrorList {
	errs := poolName(path.Child("name"), p.Name)
	if p.ResourceSliceCount <= 0 {
		errs = append(errs, field.Invalid(path.Child("resourceSliceCount"), p.ResourceSliceCount, "must be greater than zero"))
	}
	if p.Generation < 0 {
		errs = append(errs, field.Invalid(path.Child("generation"), p.Generation, "must be greater than or equal to zero"))
	}
	return errs
}

// sliceNodes wants exactly one way to say from which nodes the devices can be used.
func sliceNodes(s *resourcev1.ResourceSliceSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	var ways []string
	switch {
	case s.NodeName == nil:
	case *s.NodeName == "":
		errs = append(errs, field.Invalid(path.Child("nodeName"), "", "must be either unset or set to a non-empty string"))
	default:
		ways = append(ways, "`nodeName`")
		errs = append(errs, meta.Each(path.Child("nodeName"), *s.NodeName, validation.NameIsDNSSubdomain(*s.NodeName, false))...)
	}
	if n := s.NodeSelector; n != nil {
		ways = append(ways, "`nodeSelector`")
		errs = append(errs, podspec.ValidateNodeSelector(n, path.Child("nodeSelector"))...)
		if len(n.NodeSelectorTerms) != 1 {
			errs = append(errs, field.Invalid(path.Child("nodeSelector", "nodeSelectorTerms"), n.NodeSelectorTerms, "must have exactly one node selector term"))
		}
	}
	for _, flag := range []struct {
		name  string
		value *bool
	}{{"allNodes", s.AllNodes}, {"perDeviceNodeSelection", s.PerDeviceNodeSelection}} {
		switch {
		case flag.value == nil:
		case *flag.value:
			ways = append(ways, "`"+flag.name+"`")
		default:
			errs = append(errs, field.Invalid(path.Child(flag.name), false, "must be either unset or set to true"))
		}
	}
	const one = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
	switch len(ways) {
	case 0:
		errs = append(errs, field.Required(path, one))
	case 1:
	default:
		errs = append(errs, field.Invalid(path, fmt.Sprintf("{%s}", strings.Join(ways, ", ")), one+", but multiple fields are set"))
	}
	return errs
}

// deviceNodes is sliceNodes of one device, where the slice leaves it to them.
func deviceNodes(name *string, selector *corev1.NodeSelector, all *bool, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	var ways []string
	switch {
	case name == nil:
	case *name == "":
		errs = append(errs, field.Invalid(path.Child("nodeName"), "", "must not be empty"))
	default:
		ways = append(ways, "`nodeName`")
		errs = append(errs, meta.Each(path.Child("nodeName"), *name, validation.NameIsDNSSubdomain(*name, false))...)
	}
	if selector != nil {
		ways = append(ways, "`nodeSelector`")
		errs = append(errs, podspec.ValidateNodeSelector(selector, path.Child("nodeSelector"))...)
	}
	switch {
	case all == nil:
	case *all:
		ways = append(ways, "`allNodes`")
	default:
		errs = append(errs, field.Invalid(path.Child("allNodes"), false, "must be either unset or set to true"))
	}
	const one = "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the ResourceSlice spec"
	switch len(ways) {
	case 0:
		errs = append(errs, field.Required(path, one))
	case 1:
	default:
		errs = append(errs, field.Invalid(path, fmt.Sprintf("{%s}", strings.Join(ways, ", ")), one))
	}
	return errs
}
