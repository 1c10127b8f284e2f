package core

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// ComponentStatus is the row of componentstatuses: whether the parts of the control plane are well. They are seen, not stored.
func ComponentStatus() *resource.Resource {
	return &resource.Resource{
		Version: "v1", Name: "componentstatuses", Singular: "componentstatus", Kind: "ComponentStatus", ShortNames: []string{"cs"},
		Verbs: []string{"get", "list"}, Virtual: true, Deprecated: "v1 ComponentStatus is deprecated in v1.19+",
		New:     func() resource.Object { return &corev1.ComponentStatus{} },
		NewList: func() runtime.Object { return &corev1.ComponentStatusList{} },
		Columns: []resource.Column{
			meta.Name(),
			meta.Column("Status", "Status of the component conditions"),
			meta.Column("Message", "Message of the component conditions"),
			meta.Column("Error", "Error of the component conditions"),
		},
		Row: resource.Typed(func(s *corev1.ComponentStatus) []any {
			status, message, failure := "Unknown", "", ""
			for _, c := range s.Conditions {
				if c.Type != corev1.ComponentHealthy {
					continue
				}
				status, message, failure = "Unhealthy", c.Message, c.Error
				if c.Status == corev1.ConditionTrue {
					status = "Healthy"
				}
			}
			return []any{s.Name, status, message, failure}
		}),
	}
}
