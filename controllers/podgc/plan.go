package podgc

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"proa/reconcile/podstate"
)

const evicted = "Evicted" // status.reason of pods that their node has evicted

// beyond returns the ended pods that are more than the threshold: evicted ones first, then the oldest.
func beyond(pods []*corev1.Pod, threshold int) []*corev1.Pod {
	ended := slices.DeleteFunc(slices.Clone(pods), func(pod *corev1.Pod) bool { return !podstate.Terminal(pod) })
	if len(ended) <= threshold {
		return nil
	}
	slices.SortFunc(ended, func(a, b *corev1.Pod) int {
		return cmp.Or(
			cmp.Compare(rank(a), rank(b)),
			a.CreationTimestamp.Time.Compare(b.CreationTimestamp.Time),
			strings.Compare(a.Name, b.Name),
		)
	})
	return ended[:len(ended)-threshold]
}

func rank(pod *corev1.Pod) int {
	if pod.Status.Phase == corev1.PodFailed && pod.Status.Reason == evicted {
		return 0
	}
	return 1
}

// outOfService says whether an operator has declared a node dead: its terminating pods need not be waited for (KEP-2268).
func outOfService(node *corev1.Node) bool {
	ready := slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
	return !ready && slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.Key == corev1.TaintNodeOutOfService })
}
