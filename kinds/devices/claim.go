package devices

import (
	"reflect"
	"strings"

	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// ResourceClaim is the row of resourceclaims: devices that somebody wants, and those that were allocated.
func ResourceClaim() *resource.Resource {
	return &resource.Resource{
		Group: resourcev1.GroupName, Version: "v1", Name: "resourceclaims", Singular: "resourceclaim", Kind: "ResourceClaim", Namespaced: true,
		New:           func() resource.Object { return &resourcev1.ResourceClaim{} },
		NewList:       func() runtime.Object { return &resourcev1.ResourceClaimList{} },
		Default:       resource.Do(func(c *resourcev1.ResourceClaim) { defaultClaim(&c.Spec) }),
		PrepareCreate: resource.Do(func(c *resourcev1.ResourceClaim) { c.Status = resourcev1.ResourceClaimStatus{} }),
		PrepareUpdate: resource.Do2(func(c, old *resourcev1.ResourceClaim) { c.Status = *old.Status.DeepCopy() }),
		Validate: resource.Typed(func(c *resourcev1.ResourceClaim) field.ErrorList {
			return validateClaim(&c.Spec, field.NewPath("spec"))
		}),
		ValidateUpdate: resource.Typed2(func(c, old *resourcev1.ResourceClaim) field.ErrorList {
			return unchanged(field.NewPath("spec"), c.Spec, old.Spec)
		}),
		Reset: map[string][]string{"status": {"metadata", "spec"}},
		Status: &resource.Subresource{
			NoTables: true,
			Name:     "status", Verbs: []string{"get", "patch", "update"},
			PrepareUpdate: resource.Do2(func(c, old *resourcev1.ResourceClaim) {
				c.Spec = *old.Spec.DeepCopy()
				metav1.ResetObjectMetaForStatus(c, old.DeepCopy())
				forgetFreed(c, old)
			}),
			ValidateUpdate: resource.Typed2(validateStatus),
		},
		AllowUnconditionalUpdate: true,
		Columns: []resource.Column{
			meta.Name(),
			meta.Column("State", "A summary of the current state (allocated, pending, reserved, etc.)."),
			meta.Age(),
		},
		Row: resource.Typed(func(c *resourcev1.ResourceClaim) []any {
			return []any{c.Name, state(c), meta.Since(c.CreationTimestamp)}
		}),
	}
}

// ResourceClaimTemplate is the row of resourceclaimtemplates: claims that each pod gets one of.
func ResourceClaimTemplate() *resource.Resource {
	return &resource.Resource{
		Group: resourcev1.GroupName, Version: "v1", Name: "resourceclaimtemplates", Singular: "resourceclaimtemplate",
		Kind: "ResourceClaimTemplate", Namespaced: true,
		New:      func() resource.Object { return &resourcev1.ResourceClaimTemplate{} },
		NewList:  func() runtime.Object { return &resourcev1.ResourceClaimTemplateList{} },
		Default:  resource.Do(func(t *resourcev1.ResourceClaimTemplate) { defaultClaim(&t.Spec.Spec) }),
		Validate: resource.Typed(validateTemplate),
		ValidateUpdate: resource.Typed2(func(t, old *resourcev1.ResourceClaimTemplate) field.ErrorList {
			return append(validateTemplate(t), unchanged(field.NewPath("spec"), t.Spec, old.Spec)...)
		}),
		AllowUnconditionalUpdate: true,
		Columns:                  meta.NameAndAge(),
		Row:                      meta.NameAndAgeRow,
	}
}

func unchanged[T any](path *field.Path, now, before T) field.ErrorList {
	if equality.Semantic.DeepEqual(now, before) {
		return nil
	}
	return field.ErrorList{field.Invalid(path, meta.Internal(now), validation.FieldImmutableErrorMsg)}
}

func validateTemplate(t *resourcev1.ResourceClaimTemplate) field.ErrorList {
	path := field.NewPath("spec")
	return append(templateMetadata(&t.Spec.ObjectMeta, path.Child("metadata")), validateClaim(&t.Spec.Spec, path.Child("spec"))...)
}

// templateMetadata wants labels and annotations only: all else is a claim's own.
func templateMetadata(m *metav1.ObjectMeta, path *field.Path) field.ErrorList {
	errs := validation.ValidateAnnotations(m.Annotations, path.Child("annotations"))
	errs = append(errs, metav1validation.ValidateLabels(m.Labels, path.Child("labels"))...)
	value := reflect.ValueOf(m).Elem()
	for i := range value.NumField() {
		switch name := value.Type().Field(i).Name; {
		case name == "Labels" || name == "Annotations" || value.Field(i).IsZero():
		default:
			errs = append(errs, field.Forbidden(path.Child(strings.ToLower(name[:1])+name[1:]), "cannot be set"))
		}
	}
	return errs
}

func state(c *resourcev1.ResourceClaim) string {
	var states []string
	deleted := c.DeletionTimestamp != nil
	if deleted {
		states = append(states, "deleted")
	}
	switch {
	case c.Status.Allocation != nil && len(c.Status.ReservedFor) > 0:
		states = append(states, "allocated", "reserved")
	case c.Status.Allocation != nil:
		states = append(states, "allocated")
	case !deleted:
		states = append(states, "pending")
	}
	return strings.Join(states, ",")
}

func defaultClaim(s *resourcev1.ResourceClaimSpec) {
	for i := range s.Devices.Requests {
		r := &s.Devices.Requests[i]
		if e := r.Exactly; e != nil {
			defaultRequest(&e.AllocationMode, &e.Count, e.Tolerations)
		}
		for j := range r.FirstAvailable {
			sub := &r.FirstAvailable[j]
			defaultRequest(&sub.AllocationMode, &sub.Count, sub.Tolerations)
		}
	}
}

func defaultRequest(mode *resourcev1.DeviceAllocationMode, count *int64, tolerations []resourcev1.DeviceToleration) {
	if *mode == "" {
		*mode = resourcev1.DeviceAllocationModeExactCount
	}
	if *mode == resourcev1.DeviceAllocationModeExactCount && *count == 0 {
		*count = 1
	}
	for i := range tolerations {
		if tolerations[i].Operator == "" {
			tolerations[i].Operator = resourcev1.DeviceTolerationOpEqual
		}
	}
}
