package scheduling

import (
	schedulingv1 "k8s.io/api/scheduling/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// PriorityClass is the row of priorityclasses.
func PriorityClass() *resource.Resource {
	return &resource.Resource{
		Group: "scheduling.k8s.io", Version: "v1", Name: "priorityclasses", Singular: "priorityclass", Kind: "PriorityClass",
		ShortNames: []string{"pc"},

		New:     func() resource.Object { return &schedulingv1.PriorityClass{} },
		NewList: func() runtime.Object { return &schedulingv1.PriorityClassList{} },

		AllowUnconditionalUpdate: true,
		Columns:                  meta.NameAndAge(), Row: meta.NameAndAgeRow,
	}
}
