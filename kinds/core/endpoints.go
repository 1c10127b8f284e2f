package core

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// Endpoints is the row of endpoints.
func Endpoints() *resource.Resource {
	return &resource.Resource{
		Group: "", Version: "v1", Name: "endpoints", Singular: "endpoints", Kind: "Endpoints",
		ShortNames: []string{"ep"},
		Namespaced: true,
		New:        func() resource.Object { return &corev1.Endpoints{} },
		NewList:    func() runtime.Object { return &corev1.EndpointsList{} },

		AllowCreateOnUpdate: true, AllowUnconditionalUpdate: true,
		Columns: meta.NameAndAge(), Row: meta.NameAndAgeRow,
	}
}
