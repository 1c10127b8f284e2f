package apiserver

import (
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
