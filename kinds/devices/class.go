package devices

import (
	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// DeviceClass is the row of deviceclasses: devices of a sort, and how they are set up.
func DeviceClass() *resource.Resource {
	return &resource.Resource{
		Group: resourcev1.GroupName, Version: "v1", Name: "deviceclasses", Singular: "deviceclass", Kind: "DeviceClass",
		New:           func() resource.Object { return &resourcev1.DeviceClass{} },
		NewList:       func() runtime.Object { return &resourcev1.DeviceClassList{} },
		PrepareCreate: resource.Do(func(c *resourcev1.DeviceClass) { c.Generation = 1 }),
		PrepareUpdate: resource.Do2(func(c, old *resourcev1.DeviceClass) {
			meta.CountGeneration(c, old, !equality.Semantic.DeepEqual(c.Spec, old.Spec))
		}),
		ValidateName: meta.NameAlone,
		Validate:     resource.Typed(validateClass),
		ValidateUpdate: resource.Typed2(func(c, _ *resourcev1.DeviceClass) field.ErrorList {
			return validateClass(c)
		}),
		AllowUnconditionalUpdate: true,
		Columns:                  meta.NameAndAge(),
		Row:                      meta.NameAndAgeRow,
	}
}

func validateClass(c *resourcev1.DeviceClass) field.ErrorList {
	path := field.NewPath("spec")
	errs := selectors(c.Spec.Selectors, path.Child("selectors"))
	errs = append(errs, list(path.Child("config"), c.Spec.Config, resourcev1.DeviceConfigMaxSize,
		func(at *field.Path, config resourcev1.DeviceClassConfiguration) field.ErrorList {
			return configuration(at, config.Opaque)
		})...)
	if name := c.Spec.ExtendedResourceName; name != nil && !meta.IsExtended(corev1.ResourceName(*name)) {
		errs = append(errs, field.Invalid(path.Child("extendedResourceName"), *name, "must be a valid extended resource name"))
	}
	return errs
}
