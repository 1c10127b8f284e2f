package statefulset

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"proa/reconcile/podstate"
)

// keepReplicas brings every ordinal its pod: in order, each waits until the one before it works. It says whether nothing
// is left to wait for.
func (r *rollout) keepReplicas() bool {
	for _, pod := range r.replicas {
		if !r.keepReplica(pod) && r.ordered() {
			return false
		}
	}
	return true
}

// keepReplica does what a replica needs and says whether the next one's turn has come.
func (r *rollout) keepReplica(pod *corev1.Pod) bool {
	switch {
	case podstate.Terminal(pod):
		if pod.DeletionTimestamp == nil {
			r.do(remove, pod)
		}
		return false
	case !exists(pod):
		_, ordinal, _ := ordinalOf(pod)
		r.do(create, pod, r.missingClaims(ordinal)...)
		return false
	}
	_, ordinal, _ := ordinalOf(pod)
	claims := r.ownClaims(pod, false)
	if pod.Status.Phase == corev1.PodPending {
		claims = append(claims, r.missingClaims(ordinal)...) // it cannot start without
	}
	if len(claims) > 0 {
		r.do(keep, pod, claims...)
	}
	if r.ordered() && (pod.DeletionTimestamp != nil || !runningAndReady(pod) || !r.available(pod)) {
		return false
	}
	r.correct(pod)
	return true
}

// correct gives a pod back what makes it the set's.
func (r *rollout) correct(pod *corev1.Pod) {
	_, ordinal, _ := ordinalOf(pod)
	if pod.Labels[appsv1.StatefulSetPodNameLabel] == pod.Name && mounted(r.set, pod, ordinal) {
		return
	}
	next := pod.DeepCopy()
	identify(next, ordinal)
	mount(r.set, next, ordinal)
	r.do(update, next, r.missingClaims(ordinal)...)
}

// scaleDown deletes the pods that are too many: in order, the highest first, each when all others work. One that does not
// work goes before those that do, for else nothing would ever go on. It says whether nothing is left to wait for.
func (r *rollout) scaleDown() bool {
	broken := r.firstUnavailable()
	for _, pod := range r.condemned {
		switch {
		case pod.DeletionTimestamp != nil:
		case r.ordered() && pod != broken && (!runningAndReady(pod) || !r.available(pod)):
		default:
			r.do(remove, pod, r.ownClaims(pod, true)...)
		}
		if r.ordered() {
			return false
		}
	}
	return true
}

// firstUnavailable is the pod of the lowest place that does not work; nil if all do.
func (r *rollout) firstUnavailable() *corev1.Pod {
	for _, pod := range r.replicas {
		if r.unavailable(pod) {
			return pod
		}
	}
	for i := len(r.condemned) - 1; i >= 0; i-- {
		if r.unavailable(r.condemned[i]) {
			return r.condemned[i]
		}
	}
	return nil
}
