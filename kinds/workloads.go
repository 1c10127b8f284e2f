package kinds

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// The rows below carry names only; their folders replace them by rows with rules.

func pod() *resource.Resource {
	return &resource.Resource{
		Version: "v1", Name: "pods", Singular: "pod", Kind: "Pod", ShortNames: []string{"po"}, Categories: []string{"all"},
		Namespaced: true,
		New:        func() resource.Object { return &corev1.Pod{} }, NewList: func() runtime.Object { return &corev1.PodList{} },
		Status:  &resource.Subresource{Name: "status"},
		Columns: meta.NameAndAge(), Row: meta.NameAndAgeRow,
	}
}

func replicaSet() *resource.Resource {
	return &resource.Resource{
		Group: "apps", Version: "v1", Name: "replicasets", Singular: "replicaset", Kind: "ReplicaSet",
		ShortNames: []string{"rs"}, Categories: []string{"all"}, Namespaced: true,
		New: func() resource.Object { return &appsv1.ReplicaSet{} }, NewList: func() runtime.Object { return &appsv1.ReplicaSetList{} },
		Status:  &resource.Subresource{Name: "status"},
		Columns: meta.NameAndAge(), Row: meta.NameAndAgeRow,
	}
}

func deployment() *resource.Resource {
	return &resource.Resource{
		Group: "apps", Version: "v1", Name: "deployments", Singular: "deployment", Kind: "Deployment",
		ShortNames: []string{"deploy"}, Categories: []string{"all"}, Namespaced: true,
		New: func() resource.Object { return &appsv1.Deployment{} }, NewList: func() runtime.Object { return &appsv1.DeploymentList{} },
		Status:  &resource.Subresource{Name: "status"},
		Columns: meta.NameAndAge(), Row: meta.NameAndAgeRow,
	}
}
