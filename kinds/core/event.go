package core

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// Event is the row of events.
func Event() *resource.Resource {
	return &resource.Resource{
		Group: "", Version: "v1", Name: "events", Singular: "event", Kind: "Event",
		ShortNames: []string{"ev"},
		Namespaced: true,
		New:        func() resource.Object { return &corev1.Event{} },
		NewList:    func() runtime.Object { return &corev1.EventList{} },

		AllowCreateOnUpdate: true, AllowUnconditionalUpdate: true,
		Columns: meta.NameAndAge(), Row: meta.NameAndAgeRow,
	}
}
