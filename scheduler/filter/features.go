package filter

import (
	"k8s.io/apimachinery/pkg/util/version"
	declared "k8s.io/component-helpers/nodedeclaredfeatures"

	"proa/scheduler/state"
)

// features keeps pods off nodes that do not say that they can do what the pod asks for (KEP-5328).
func features(p *state.Pod) Check {
	needs, err := declared.DefaultFramework.InferForPodScheduling(&declared.PodInfo{Spec: &p.Pod.Spec}, version.MajorMinor(1, 36))
	if err != nil || needs.IsEmpty() { // the error is of who names no version
		return nil
	}
	return func(n *state.Node) ([]string, bool) {
		if match, err := declared.DefaultFramework.MatchNode(needs, n.Node); err != nil || !match.IsMatch {
			return []string{"node(s) didn't match Pod's required features"}, true
		}
		return nil, false
	}
}
