package admit

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// taintNewNode keeps pods off a node until the node's controller has seen it ready.
func taintNewNode(_ context.Context, a *Attributes) error {
	node, ok := a.Object.(*corev1.Node)
	if !ok || a.Operation != Create || !a.Is("nodes") {
		return nil
	}
	taint := corev1.Taint{Key: corev1.TaintNodeNotReady, Effect: corev1.TaintEffectNoSchedule}
	if !slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.MatchTaint(&taint) }) {
		node.Spec.Taints = append(node.Spec.Taints, taint)
	}
	return nil
}
