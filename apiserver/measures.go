package apiserver

import (
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"proa/apiserver/chain"
	"proa/apiserver/discovery"
	"proa/apiserver/encode"
	"proa/internal/measure"
)

// Measures lists what the server has counted: requests, turns, audit events, and the objects that are stored.
func (s *Server) Measures() []measure.Family {
	all := append(s.counts.Measures(), s.fair.Measures()...)
	all = append(append(all, s.config.Audit.Measures()...), s.admission.Measures()...)
	snap := s.config.Store.Snapshot()
	stored := measure.Family{Name: "apiserver_storage_objects", Help: "Stored objects of a kind", Type: measure.Gauge, Labels: []string{"resource"}}
	objects := measure.Family{Name: "apiserver_resource_objects", Help: "Stored objects of a resource", Type: measure.Gauge, Labels: []string{"group", "resource"}}
	for _, r := range s.config.Kinds.Rows() {
		if r.Virtual {
			continue
		}
		n := float64(snap.Len(r.Table(), ""))
		stored.Add(n, r.Table())
		objects.Add(n, r.Group, r.Name)
	}
	return append(all, stored, objects)
}

// servesResource says whether the request's resource is one of the server's own, and its subresource one of that.
func (s *Server) servesResource(info *chain.Info) bool {
	version := encode.VersionOf(s.config.Kinds, schema.GroupVersionResource{Group: info.Group, Version: info.Version, Resource: info.Resource})
	if version == nil || info.Subresource == "" {
		return version != nil
	}
	r := version.Resource
	if info.Subresource == "status" && r.Status != nil || info.Subresource == "scale" && r.Scale != nil {
		return true
	}
	for i := range r.Subresources {
		if r.Subresources[i].Name == info.Subresource {
			return true
		}
	}
	return slices.ContainsFunc(s.doors, func(d discovery.Door) bool {
		return d.Resource == r.Name && d.Group == r.Group && d.Name == info.Subresource
	})
}
