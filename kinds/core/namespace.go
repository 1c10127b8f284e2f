package core

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// Namespace is the row of namespaces.
func Namespace() *resource.Resource {
	return &resource.Resource{
		Group: "", Version: "v1", Name: "namespaces", Singular: "namespace", Kind: "Namespace",
		ShortNames: []string{"ns"},

		New:     func() resource.Object { return &corev1.Namespace{} },
		NewList: func() runtime.Object { return &corev1.NamespaceList{} },

		AllowUnconditionalUpdate: true,
		Columns:                  meta.NameAndAge(), Row: meta.NameAndAgeRow,
	}
}
