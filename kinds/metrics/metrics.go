// Package metrics holds the rows of metrics.k8s.io: what nodes and pods use at present. They are answered, not stored.
package metrics

import (
	"k8s.io/apimachinery/pkg/runtime"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

var readVerbs = []string{"get", "list"}

// NodeMetrics is the row of what nodes use.
func NodeMetrics() *resource.Resource {
	return &resource.Resource{
		Group: metricsv1beta1.GroupName, Version: "v1beta1", Name: "nodes", Singular: "", Kind: "NodeMetrics", Verbs: readVerbs, Virtual: true,
		New:     func() resource.Object { return &metricsv1beta1.NodeMetrics{} },
		NewList: func() runtime.Object { return &metricsv1beta1.NodeMetricsList{} },
		Columns: meta.NameAndCreated(), Row: meta.NameAndCreatedRow,
	}
}

// PodMetrics is the row of what pods use, container by container.
func PodMetrics() *resource.Resource {
	return &resource.Resource{
		Group: metricsv1beta1.GroupName, Version: "v1beta1", Name: "pods", Singular: "", Kind: "PodMetrics", Verbs: readVerbs, Virtual: true, Namespaced: true,
		New:     func() resource.Object { return &metricsv1beta1.PodMetrics{} },
		NewList: func() runtime.Object { return &metricsv1beta1.PodMetricsList{} },
		Columns: meta.NameAndCreated(), Row: meta.NameAndCreatedRow,
	}
}
