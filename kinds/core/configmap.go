package core

import (
	"reflect"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

const immutableDetail = "field is immutable when `immutable` is set"

// ConfigMap is the row of configmaps.
func ConfigMap() *resource.Resource {
	return &resource.Resource{
		Version: "v1", Name: "configmaps", Singular: "configmap", Kind: "ConfigMap", ShortNames: []string{"cm"},
		Namespaced:               true,
		New:                      func() resource.Object { return &corev1.ConfigMap{} },
		NewList:                  func() runtime.Object { return &corev1.ConfigMapList{} },
		Validate:                 resource.Typed(validateConfigMap),
		ValidateChange:           resource.Typed2(validateConfigMapChange),
		ValidateUpdate:           resource.Typed2(func(configMap, _ *corev1.ConfigMap) field.ErrorList { return validateConfigMap(configMap) }),
		NameLast:                 true,
		AllowUnconditionalUpdate: true,
		Columns:                  []resource.Column{meta.Name(), meta.Column("Data", corev1.ConfigMap{}.SwaggerDoc()["data"]), meta.Age()},
		Row: resource.Typed(func(configMap *corev1.ConfigMap) []any {
			return []any{configMap.Name, int64(len(configMap.Data) + len(configMap.BinaryData)), meta.Since(configMap.CreationTimestamp)}
		}),
	}
}

func validateConfigMap(configMap *corev1.ConfigMap) field.ErrorList {
	var errs field.ErrorList
	size := 0
	for _, key := range meta.Sorted(configMap.Data) {
		path := field.NewPath("data").Key(key)
		errs = append(errs, meta.Each(path, key, validation.IsConfigMapKey(key))...)
		if _, twice := configMap.BinaryData[key]; twice {
			errs = append(errs, field.Invalid(path, key, "duplicate of key present in binaryData"))
		}
		size += len(configMap.Data[key])
	}
	for _, key := range meta.Sorted(configMap.BinaryData) {
		errs = append(errs, meta.Each(field.NewPath("binaryData").Key(key), key, validation.IsConfigMapKey(key))...)
		size += len(configMap.BinaryData[key])
	}
	if size > corev1.MaxSecretSize {
		errs = append(errs, field.TooLong(field.NewPath(""), "", corev1.MaxSecretSize))
	}
	return errs
}

func validateConfigMapChange(configMap, old *corev1.ConfigMap) field.ErrorList {
	var errs field.ErrorList
	if isTrue(old.Immutable) {
		if !isTrue(configMap.Immutable) {
			errs = append(errs, field.Forbidden(field.NewPath("immutable"), immutableDetail))
		}
		if !sameMap(configMap.Data, old.Data) {
			errs = append(errs, field.Forbidden(field.NewPath("data"), immutableDetail))
		}
		if !sameMap(configMap.BinaryData, old.BinaryData) {
			errs = append(errs, field.Forbidden(field.NewPath("binaryData"), immutableDetail))
		}
	}
	return errs
}

func isTrue(b *bool) bool { return b != nil && *b }

// sameMap compares two maps; an absent one is the same as an empty one, for a wire form may not keep the difference.
func sameMap[V any](a, b map[string]V) bool {
	return len(a) == 0 && len(b) == 0 || reflect.DeepEqual(a, b)
}
