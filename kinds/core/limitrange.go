package core

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// LimitRange is the row of limitranges.
func LimitRange() *resource.Resource {
	return &resource.Resource{
		Group: "", Version: "v1", Name: "limitranges", Singular: "limitrange", Kind: "LimitRange",
		ShortNames: []string{"limits"},
		Namespaced: true,
		New:        func() resource.Object { return &corev1.LimitRange{} },
		NewList:    func() runtime.Object { return &corev1.LimitRangeList{} },

		AllowCreateOnUpdate: true, AllowUnconditionalUpdate: true,
		Columns: meta.NameAndAge(), Row: meta.NameAndAgeRow,
	}
}
