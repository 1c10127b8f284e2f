package core

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// Secret is the row of secrets.
func Secret() *resource.Resource {
	return &resource.Resource{
		Group: "", Version: "v1", Name: "secrets", Singular: "secret", Kind: "Secret",

		Namespaced: true,
		New:        func() resource.Object { return &corev1.Secret{} },
		NewList:    func() runtime.Object { return &corev1.SecretList{} },

		AllowUnconditionalUpdate: true,
		Columns:                  meta.NameAndAge(), Row: meta.NameAndAgeRow,
	}
}
