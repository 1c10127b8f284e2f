package encode

import (
	"k8s.io/apimachinery/pkg/runtime/schema"

	"proa/kinds/resource"
)

// Versions lists the group versions under which a resource is read and written, the stored one first; of a custom kind all
// that its definition has, in their order there.
func Versions(r *resource.Resource) []*Version {
	if r.Custom != nil {
		var all []*Version
		for _, version := range r.Custom.Defined {
			all = append(all, Stored(version))
		}
		return all
	}
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

// Has says whether what has the subresource in one of its versions has it in this one: versions of a definition differ there.
func (v *Version) Has(subresource string) bool {
	switch {
	case v.Resource.Custom == nil:
		return true
	case subresource == "status":
		return v.Resource.Status != nil
	case subresource == "scale":
		return v.Resource.Scale != nil
	}
	return true
}
