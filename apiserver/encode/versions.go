package encode

import (
	"k8s.io/apimachinery/pkg/runtime/schema"

	"proa/kinds/resource"
)

// Versions lists the group versions under which a resource is read and written, the stored one first.
func Versions(r *resource.Resource) []*Version {
	all := []*Version{Stored(r)}
	for i := range r.Served {
		all = append(all, served(r, i))
	}
	return all
}

// GroupVersionResource names the resource in this version.
func (v *Version) GroupVersionResource() schema.GroupVersionResource {
	return v.Kind.GroupVersion().WithResource(v.Resource.Name)
}
