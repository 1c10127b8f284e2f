package filter

import (
	v1 "k8s.io/api/core/v1"

	"proa/scheduler/state"
)

// unschedulable keeps pods off cordoned nodes unless they tolerate that.
func unschedulable(p *state.Pod) Check {
	taint := v1.Taint{Key: v1.TaintNodeUnschedulable, Effect: v1.TaintEffectNoSchedule}
	if p.Tolerates(&taint) {
		return nil
	}
	return func(n *state.Node) ([]string, bool) {
		if n.Node.Spec.Unschedulable {
			return []string{"node(s) were unschedulable"}, true
		}
		return nil, false
	}
}

// nodeName holds a pod that names its node to that node.
func nodeName(p *state.Pod) Check {
	name := p.Pod.Spec.NodeName
	if name == "" {
		return nil
	}
	return func(n *state.Node) ([]string, bool) {
		if n.Node.Name != name {
			return []string{"node(s) didn't match the requested node name"}, true
		}
		return nil, false
	}
}

// affinity holds a pod to nodes that its node selector and required node affinity match.
func affinity(p *state.Pod) Check {
	spec := &p.Pod.Spec
	required := spec.Affinity != nil && spec.Affinity.NodeAffinity != nil && spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution != nil
	if len(spec.NodeSelector) == 0 && !required {
		return nil
	}
	return func(n *state.Node) ([]string, bool) {
		if match, err := p.Required.Match(n.Node); err != nil || !match {
			return []string{"node(s) didn't match Pod's node affinity/selector"}, true
		}
		return nil, false
	}
}
