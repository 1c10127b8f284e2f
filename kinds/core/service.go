package core

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// Service is the row of services.
func Service() *resource.Resource {
	return &resource.Resource{
		Group: "", Version: "v1", Name: "services", Singular: "service", Kind: "Service",
		ShortNames: []string{"svc"}, Categories: []string{"all"},
		Namespaced: true,
		New:        func() resource.Object { return &corev1.Service{} },
		NewList:    func() runtime.Object { return &corev1.ServiceList{} },

		AllowCreateOnUpdate: true, AllowUnconditionalUpdate: true,
		Columns: meta.NameAndAge(), Row: meta.NameAndAgeRow,
	}
}
