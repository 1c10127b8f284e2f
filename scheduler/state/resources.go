// Package state is what the scheduler knows: the nodes, what they offer, and what the pods on them have reserved. It
// decides nothing. The loop keeps one State in step with the API; filters and scores read it.
package state

import v1 "k8s.io/api/core/v1"

// Resources is an amount of everything that can be reserved. The common kinds have fields, since they are compared for
// every node.
type Resources struct {
	MilliCPU         int64
	Memory           int64 // bytes
	EphemeralStorage int64 // bytes
	Pods             int64
	Scalar           map[v1.ResourceName]int64 // extended resources and huge pages
}

// resourcesOf reads a resource list.
func resourcesOf(list v1.ResourceList) Resources {
	var r Resources
	for name, q := range list {
		switch name {
		case v1.ResourceCPU:
			r.MilliCPU = q.MilliValue()
		case v1.ResourceMemory:
			r.Memory = q.Value()
		case v1.ResourceEphemeralStorage:
			r.EphemeralStorage = q.Value()
		case v1.ResourcePods:
			r.Pods = q.Value()
		default:
			if r.Scalar == nil {
				r.Scalar = map[v1.ResourceName]int64{}
			}
			r.Scalar[name] = q.Value()
		}
	}
	return r
}

// add counts other sign times.
func (r *Resources) add(other Resources, sign int64) {
	r.MilliCPU += sign * other.MilliCPU
	r.Memory += sign * other.Memory
	r.EphemeralStorage += sign * other.EphemeralStorage
	r.Pods += sign * other.Pods
	for name, v := range other.Scalar {
		if r.Scalar == nil {
			r.Scalar = map[v1.ResourceName]int64{}
		}
		r.Scalar[name] += sign * v
	}
}
