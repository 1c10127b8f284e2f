package filter

import (
	"fmt"
	"maps"
	"slices"

	v1 "k8s.io/api/core/v1"

	"proa/scheduler/state"
)

// ports keeps a pod off nodes where one of its host ports is taken.
func ports(p *state.Pod) Check {
	if len(p.HostPorts) == 0 {
		return nil
	}
	return func(n *state.Node) ([]string, bool) {
		if !n.PortsFree(p.HostPorts) {
			return []string{"node(s) didn't have free ports for the requested pod ports"}, false
		}
		return nil, false
	}
}

// resources keeps a pod off nodes that have not enough left of what it requests. It gives every reason, not only the first.
func resources(p *state.Pod) Check {
	want := p.Requests
	return func(n *state.Node) (reasons []string, hopeless bool) {
		all, used := &n.Allocatable, &n.Requested
		if used.Pods+1 > all.Pods {
			reasons = append(reasons, "Too many pods")
		}
		lacks := func(name v1.ResourceName, want, all, used int64) {
			if want > 0 && want > all-used {
				reasons = append(reasons, fmt.Sprintf("Insufficient %s", name))
				hopeless = hopeless || want > all
			}
		}
		lacks(v1.ResourceCPU, want.MilliCPU, all.MilliCPU, used.MilliCPU)
		lacks(v1.ResourceMemory, want.Memory, all.Memory, used.Memory)
		lacks(v1.ResourceEphemeralStorage, want.EphemeralStorage, all.EphemeralStorage, used.EphemeralStorage)
		if len(want.Scalar) > 0 {
			for _, name := range slices.Sorted(maps.Keys(want.Scalar)) {
				lacks(name, want.Scalar[name], all.Scalar[name], used.Scalar[name])
			}
		}
		return reasons, hopeless
	}
}
