package core

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// ServiceAccount is the row of serviceaccounts.
func ServiceAccount() *resource.Resource {
	return &resource.Resource{
		Group: "", Version: "v1", Name: "serviceaccounts", Singular: "serviceaccount", Kind: "ServiceAccount",
		ShortNames: []string{"sa"},
		Namespaced: true,
		New:        func() resource.Object { return &corev1.ServiceAccount{} },
		NewList:    func() runtime.Object { return &corev1.ServiceAccountList{} },

		AllowUnconditionalUpdate: true,
		Columns:                  meta.NameAndAge(), Row: meta.NameAndAgeRow,
	}
}
