package daemonset

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"proa/reconcile/podstate"
)

// manage gives each node that should have a pod one, and takes pods from nodes that should have none, too many, or failed
// ones.
func (r *rollout) manage() {
	known := map[string]bool{}
	for _, node := range r.nodes {
		known[node.Name] = true
		r.manageNode(node)
	}
	// The pod garbage collector finds pods of nodes that are gone by the node they run on; these run on none.
	for _, node := range slices.Sorted(maps.Keys(r.byNode)) {
		for _, pod := range r.byNode[node] {
			if !known[node] && pod.Spec.NodeName == "" {
				r.drop(pod)
			}
		}
	}
}

func (r *rollout) manageNode(node *corev1.Node) {
	start, stay := r.template.fits(node)
	pods := r.byNode[node.Name]
	switch {
	case start && len(pods) == 0:
		r.place(node.Name)
	case stay:
		running := r.clean(node.Name, pods)
		if r.surge(1) == 0 {
			r.drop(running[min(1, len(running)):]...)
			return
		}
		if len(running) == 0 && start {
			r.place(node.Name)
		}
		r.prune(running)
	default:
		r.drop(slices.DeleteFunc(slices.Clone(pods), func(pod *corev1.Pod) bool { return pod.DeletionTimestamp != nil })...)
	}
}

// clean deletes pods that have ended and returns those that run or will, the oldest first. Failed pods of a node are deleted
// with growing delay: what the node keeps refusing is not made anew without end.
func (r *rollout) clean(node string, pods []*corev1.Pod) (running []*corev1.Pod) {
	for _, pod := range pods {
		switch {
		case pod.DeletionTimestamp != nil:
		case pod.Status.Phase == corev1.PodFailed:
			if wait := r.patience(node); wait > 0 {
				r.wakeAfter(wait)
				continue
			}
			r.failed = append(r.failed, node)
			r.tell(corev1.EventTypeWarning, "FailedDaemonPod", "Found failed daemon pod %s/%s on node %s, will try to kill it", pod.Namespace, pod.Name, node)
			r.drop(pod)
		case pod.Status.Phase == corev1.PodSucceeded:
			r.tell(corev1.EventTypeNormal, "SucceededDaemonPod", "Found succeeded daemon pod %s/%s on node %s, will try to delete it", pod.Namespace, pod.Name, node)
			r.drop(pod)
		default:
			running = append(running, pod)
		}
	}
	return oldestFirst(running)
}

func (r *rollout) tell(kind, reason, format string, args ...any) {
	r.events = append(r.events, event{kind, reason, fmt.Sprintf(format, args...)})
}

// prune leaves two pods on a node only while the new one does not work yet and the old one does.
func (r *rollout) prune(running []*corev1.Pod) {
	if len(running) < 2 {
		return
	}
	var newPod, oldPod *corev1.Pod
	for _, pod := range running {
		at := &oldPod
		if pod.Labels[hashLabel] == r.hash {
			at = &newPod
		}
		if *at == nil {
			*at = pod
		} else {
			r.drop(pod)
		}
	}
	if newPod != nil && oldPod != nil && (!podstate.Ready(oldPod) || r.available(newPod)) {
		r.drop(oldPod)
	}
}

// oldestFirst sorts pods: those on a node before those that wait for it, then by age.
func oldestFirst(pods []*corev1.Pod) []*corev1.Pod {
	sorted := slices.Clone(pods)
	slices.SortStableFunc(sorted, func(a, b *corev1.Pod) int {
		if onNode := a.Spec.NodeName != ""; onNode != (b.Spec.NodeName != "") {
			if onNode {
				return -1
			}
			return 1
		}
		return cmp.Or(a.CreationTimestamp.Time.Compare(b.CreationTimestamp.Time), strings.Compare(a.Name, b.Name))
	})
	return sorted
}

// surge is how many nodes, of so many, may have a second pod for an update.
func (r *rollout) surge(desired int) int {
	rolling := r.set.Spec.UpdateStrategy.RollingUpdate
	if r.set.Spec.UpdateStrategy.Type != appsv1.RollingUpdateDaemonSetStrategyType || rolling == nil {
		return 0
	}
	return share(rolling.MaxSurge, desired)
}

// unavailable is how many nodes, of so many, may be without a working pod for an update.
func (r *rollout) unavailable(desired int) int {
	rolling := r.set.Spec.UpdateStrategy.RollingUpdate
	if rolling == nil {
		return 0
	}
	return share(rolling.MaxUnavailable, desired)
}

// share reads a number or a percentage, rounded up; validation lets pass nothing that cannot be read.
func share(value *intstr.IntOrString, of int) int {
	if value == nil {
		return 0
	}
	n, err := intstr.GetScaledValueFromIntOrPercent(value, of, true)
	if err != nil {
		return 0
	}
	return n
}
