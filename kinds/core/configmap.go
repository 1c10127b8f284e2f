package core

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// ConfigMap is the row of configmaps.
func ConfigMap() *resource.Resource {
	return &resource.Resource{
		Group: "", Version: "v1", Name: "configmaps", Singular: "configmap", Kind: "ConfigMap",
		ShortNames: []string{"cm"},
		Namespaced: true,
		New:        func() resource.Object { return &corev1.ConfigMap{} },
		NewList:    func() runtime.Object { return &corev1.ConfigMapList{} },

		AllowUnconditionalUpdate: true,
		Columns:                  meta.NameAndAge(), Row: meta.NameAndAgeRow,
	}
}
