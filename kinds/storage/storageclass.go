// Package storage holds the rules of the kinds that say where the room for claims comes from: storage classes, the drivers of
// storage systems, and what is attached where.
//
// It decides and does nothing on its own: every function is pure and is called through the row of its kind, by the API
// server for each write and by whoever prints a table. It needs nothing that could be gone.
package storage

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// Annotations that make a class the one of claims that name none.
const (
	DefaultAnnotation     = "storageclass.kubernetes.io/is-default-class"
	betaDefaultAnnotation = "storageclass.beta.kubernetes.io/is-default-class"
)

// IsDefault says whether claims that name no class get this one.
func IsDefault(class *storagev1.StorageClass) bool {
	return class.Annotations[DefaultAnnotation] == "true" || class.Annotations[betaDefaultAnnotation] == "true"
}

// StorageClass is the row of storageclasses.
func StorageClass() *resource.Resource {
	doc := storagev1.StorageClass{}.SwaggerDoc()
	return &resource.Resource{
		Group: storagev1.GroupName, Version: "v1", Name: "storageclasses", Singular: "storageclass", Kind: "StorageClass", ShortNames: []string{"sc"},
		New:     func() resource.Object { return &storagev1.StorageClass{} },
		NewList: func() runtime.Object { return &storagev1.StorageClassList{} },
		Default: resource.Do(func(c *storagev1.StorageClass) {
			if c.ReclaimPolicy == nil {
				c.ReclaimPolicy = new(corev1.PersistentVolumeReclaimDelete)
			}
			if c.VolumeBindingMode == nil {
				c.VolumeBindingMode = new(storagev1.VolumeBindingImmediate)
			}
		}),
		Validate:                 resource.Typed(validateStorageClass),
		ValidateUpdate:           resource.Typed2(validateStorageClassUpdate),
		Warnings:                 func(obj, _ resource.Object) []string { return classWarnings(obj.(*storagev1.StorageClass)) },
		AllowUnconditionalUpdate: true,
		Columns: []resource.Column{
			meta.Name(),
			meta.Column("Provisioner", doc["provisioner"]),
			meta.Column("ReclaimPolicy", doc["reclaimPolicy"]),
			meta.Column("VolumeBindingMode", doc["volumeBindingMode"]),
			meta.Column("AllowVolumeExpansion", doc["allowVolumeExpansion"]),
			meta.Age(),
		},
		Row: resource.Typed(func(c *storagev1.StorageClass) []any {
			name := c.Name
			if IsDefault(c) {
				name += " (default)"
			}
			return []any{name, c.Provisioner, text(c.ReclaimPolicy, corev1.PersistentVolumeReclaimDelete), text(c.VolumeBindingMode, storagev1.VolumeBindingImmediate),
				c.AllowVolumeExpansion != nil && *c.AllowVolumeExpansion, meta.Since(c.CreationTimestamp)}
		}),
	}
}

func classWarnings(c *storagev1.StorageClass) []string {
	var list []string
	for i, term := range c.AllowedTopologies {
		for j, r := range term.MatchLabelExpressions {
			if text := meta.OldNodeLabel(r.Key); text != "" {
				list = append(list, fmt.Sprintf("%s: %s", field.NewPath("allowedTopologies").Index(i).Child("matchLabelExpressions").Index(j).Child("key"), text))
			}
		}
	}
	return list
}

func text[T ~string](value *T, otherwise T) string {
	if value == nil {
		return string(otherwise)
	}
	return string(*value)
}

func validateStorageClass(c *storagev1.StorageClass) field.ErrorList {
	errs := validateProvisioner(c.Provisioner, field.NewPath("provisioner"))
	errs = append(errs, validateParameters(c.Parameters, true)...)
	if policy := c.ReclaimPolicy; policy != nil && *policy != "" && *policy != corev1.PersistentVolumeReclaimDelete && *policy != corev1.PersistentVolumeReclaimRetain {
		errs = append(errs, field.NotSupported(field.NewPath("reclaimPolicy"), *policy,
			[]corev1.PersistentVolumeReclaimPolicy{corev1.PersistentVolumeReclaimDelete, corev1.PersistentVolumeReclaimRetain}))
	}
	switch mode := c.VolumeBindingMode; {
	case mode == nil:
		errs = append(errs, field.Required(field.NewPath("volumeBindingMode"), ""))
	case *mode != storagev1.VolumeBindingImmediate && *mode != storagev1.VolumeBindingWaitForFirstConsumer:
		errs = append(errs, field.NotSupported(field.NewPath("volumeBindingMode"), *mode,
			[]storagev1.VolumeBindingMode{storagev1.VolumeBindingImmediate, storagev1.VolumeBindingWaitForFirstConsumer}))
	}
	return append(errs, validateTopologies(c.AllowedTopologies, field.NewPath("allowedTopologies"))...)
}

func validateStorageClassUpdate(c, old *storagev1.StorageClass) field.ErrorList {
	errs := validateStorageClass(c)
	errs = append(errs, validation.ValidateImmutableField(c.Parameters, old.Parameters, field.NewPath("parameters"))...)
	errs = append(errs, validation.ValidateImmutableField(c.Provisioner, old.Provisioner, field.NewPath("provisioner"))...)
	errs = append(errs, validation.ValidateImmutableField(c.ReclaimPolicy, old.ReclaimPolicy, field.NewPath("reclaimPolicy"))...)
	return append(errs, validation.ValidateImmutableField(c.VolumeBindingMode, old.VolumeBindingMode, field.NewPath("volumeBindingMode"))...)
}

func validateProvisioner(name string, path *field.Path) field.ErrorList {
	if name == "" {
		return field.ErrorList{field.Required(path, "")}
	}
	return meta.QualifiedName(path, strings.ToLower(name))
}

// Bounds of parameters, in entries and in bytes.
const (
	mostParameters    = 512
	longestParameters = 256 << 10
)

func validateParameters(parameters map[string]string, mayBeEmpty bool) field.ErrorList {
	path := field.NewPath("parameters")
	if len(parameters) > mostParameters {
		return field.ErrorList{field.TooLong(path, "", mostParameters)}
	}
	var errs field.ErrorList
	size := 0
	for _, key := range meta.Sorted(parameters) {
		if key == "" {
			errs = append(errs, field.Invalid(path, key, "field can not be empty."))
		}
		size += len(key) + len(parameters[key])
	}
	if size > longestParameters {
		errs = append(errs, field.TooLong(path, "", longestParameters))
	}
	if len(parameters) == 0 && !mayBeEmpty {
		errs = append(errs, field.Required(path, "must contain at least one key/value pair"))
	}
	return errs
}

func validateTopologies(terms []corev1.TopologySelectorTerm, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	before := []map[string]sets.Set[string]{{}} // upstream takes a term without expressions for one that was there before
	for i, term := range terms {
		values := map[string]sets.Set[string]{}
		at := path.Index(i).Child("matchLabelExpressions")
		seen := map[string]bool{}
		for j, r := range term.MatchLabelExpressions {
			errs = append(errs, validateTopology(r, at.Index(j))...)
			if seen[r.Key] {
				errs = append(errs, field.Duplicate(at.Index(j).Child("key"), r.Key))
			}
			seen[r.Key] = true
			values[r.Key] = sets.New(r.Values...)
		}
		if slices.ContainsFunc(before, func(other map[string]sets.Set[string]) bool { return equality.Semantic.DeepEqual(other, values) }) {
			errs = append(errs, field.Duplicate(at, ""))
		}
		before = append(before, values)
	}
	return errs
}

func validateTopology(r corev1.TopologySelectorLabelRequirement, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if len(r.Values) == 0 {
		errs = append(errs, field.Required(path.Child("values"), ""))
	}
	for i, value := range r.Values {
		if slices.Contains(r.Values[:i], value) {
			errs = append(errs, field.Duplicate(path.Child("values").Index(i), value))
		}
	}
	return append(errs, meta.QualifiedName(path.Child("key"), r.Key)...)
}
