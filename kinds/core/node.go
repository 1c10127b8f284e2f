package core

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// Node is the row of nodes.
func Node() *resource.Resource {
	return &resource.Resource{
		Group: "", Version: "v1", Name: "nodes", Singular: "node", Kind: "Node",
		ShortNames: []string{"no"},

		New:     func() resource.Object { return &corev1.Node{} },
		NewList: func() runtime.Object { return &corev1.NodeList{} },

		AllowUnconditionalUpdate: true,
		Columns:                  meta.NameAndAge(), Row: meta.NameAndAgeRow,
	}
}
