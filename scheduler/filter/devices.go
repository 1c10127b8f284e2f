package filter

import (
	"proa/scheduler/state"
)

// devices keeps pods that need devices of ResourceClaims pending: no node here prepares such devices, so none are allocated. A pod
// without its devices would be worse than none.
func devices(p *state.Pod) Check {
	if len(p.Pod.Spec.ResourceClaims) == 0 {
		return nil
	}
	return func(*state.Node) ([]string, bool) { return []string{"cannot allocate all claims"}, true }
}
