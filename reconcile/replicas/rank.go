package replicas

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"proa/reconcile/podstate"
)

// deletionCost is the annotation by which users say which pods to keep (KEP-2255).
const deletionCost = "controller.kubernetes.io/pod-deletion-cost"

// byDeletion sorts pods so that those to delete first come first. The criteria, in order, are upstream's.
func byDeletion(pods, related []*corev1.Pod, now time.Time) []*corev1.Pod {
	neighbours := map[string]int{}
	for _, pod := range related {
		if podstate.Active(pod) {
			neighbours[pod.Spec.NodeName]++
		}
	}
	sorted := slices.Clone(pods)
	slices.SortStableFunc(sorted, func(a, b *corev1.Pod) int {
		return cmp.Or(
			falseFirst(a.Spec.NodeName != "", b.Spec.NodeName != ""),
			cmp.Compare(phaseOrder(a), phaseOrder(b)),
			falseFirst(podstate.Ready(a), podstate.Ready(b)),
			cmp.Compare(costOf(a), costOf(b)),
			-cmp.Compare(neighbours[a.Spec.NodeName], neighbours[b.Spec.NodeName]),
			youngerFirst(a, b, podstate.ReadySince(a), podstate.ReadySince(b), now),
			compareRestarts(a, b),
			youngerFirst(a, b, a.CreationTimestamp.Time, b.CreationTimestamp.Time, now),
		)
	})
	return sorted
}

func falseFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case !a:
		return -1
	}
	return 1
}

func phaseOrder(pod *corev1.Pod) int {
	switch pod.Status.Phase {
	case corev1.PodUnknown:
		return 1
	case corev1.PodRunning:
		return 2
	}
	return 0
}

// costOf is the annotated cost; what upstream would not take for an int32 counts as none.
func costOf(pod *corev1.Pod) int64 {
	text := pod.Annotations[deletionCost]
	if strings.HasPrefix(text, "+") || len(text) > 1 && strings.HasPrefix(text, "0") {
		return 0
	}
	cost, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0
	}
	return cost
}

// youngerFirst compares times by the magnitude of their age only; among pods of about one age the order of their UIDs is as
// good as random, so that scaling down does not always hit the newest (KEP-2185). A time of zero is the youngest.
func youngerFirst(a, b *corev1.Pod, at, bt, now time.Time) int {
	if at.Equal(bt) {
		return 0
	}
	if at.IsZero() || bt.IsZero() {
		return falseFirst(!at.IsZero(), !bt.IsZero())
	}
	return cmp.Or(cmp.Compare(magnitude(now.Sub(at)), magnitude(now.Sub(bt))), cmp.Compare(a.UID, b.UID))
}

func magnitude(age time.Duration) int64 {
	if age <= 0 {
		return -1
	}
	return int64(math.Log2(float64(age)))
}

func compareRestarts(a, b *corev1.Pod) int {
	regularA, sidecarA := restarts(a)
	regularB, sidecarB := restarts(b)
	return cmp.Or(-cmp.Compare(regularA, regularB), -cmp.Compare(sidecarA, sidecarB))
}

// restarts are the most restarts of a container, and of a sidecar, of the pod.
func restarts(pod *corev1.Pod) (regular, sidecar int32) {
	for _, c := range pod.Status.ContainerStatuses {
		regular = max(regular, c.RestartCount)
	}
	sidecars := map[string]bool{}
	for _, c := range pod.Spec.InitContainers {
		sidecars[c.Name] = c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
	}
	for _, c := range pod.Status.InitContainerStatuses {
		if sidecars[c.Name] {
			sidecar = max(sidecar, c.RestartCount)
		}
	}
	return regular, sidecar
}
