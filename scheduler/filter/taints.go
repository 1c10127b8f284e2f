package filter

import (
	v1 "k8s.io/api/core/v1"

	"proa/scheduler/state"
)

// taints keeps a pod off nodes with a taint against new pods that it does not tolerate.
func taints(p *state.Pod) Check {
	return func(n *state.Node) ([]string, bool) {
		for i := range n.Node.Spec.Taints {
			taint := &n.Node.Spec.Taints[i]
			repels := taint.Effect == v1.TaintEffectNoSchedule || taint.Effect == v1.TaintEffectNoExecute
			if repels && !p.Tolerates(taint) {
				return []string{"node(s) had untolerated taint(s)"}, true
			}
		}
		return nil, false
	}
}
