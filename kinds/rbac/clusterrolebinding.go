package rbac

import (
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// ClusterRoleBinding is the row of clusterrolebindings.
func ClusterRoleBinding() *resource.Resource {
	return &resource.Resource{
		Group: "rbac.authorization.k8s.io", Version: "v1", Name: "clusterrolebindings", Singular: "clusterrolebinding", Kind: "ClusterRoleBinding",

		New:     func() resource.Object { return &rbacv1.ClusterRoleBinding{} },
		NewList: func() runtime.Object { return &rbacv1.ClusterRoleBindingList{} },

		AllowCreateOnUpdate: true, AllowUnconditionalUpdate: true,
		Columns: meta.NameAndAge(), Row: meta.NameAndAgeRow,
	}
}
