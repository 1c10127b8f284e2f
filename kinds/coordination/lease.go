package coordination

import (
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// Lease is the row of leases.
func Lease() *resource.Resource {
	return &resource.Resource{
		Group: "coordination.k8s.io", Version: "v1", Name: "leases", Singular: "lease", Kind: "Lease",

		Namespaced: true,
		New:        func() resource.Object { return &coordinationv1.Lease{} },
		NewList:    func() runtime.Object { return &coordinationv1.LeaseList{} },

		AllowCreateOnUpdate: true, Relaxed: true,
		Columns: meta.NameAndAge(), Row: meta.NameAndAgeRow,
	}
}
