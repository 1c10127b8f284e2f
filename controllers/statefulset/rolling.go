package statefulset

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// rollingUpdate deletes pods of other revisions, the highest first, down to the partition; keepReplicas makes them anew.
func (r *rollout) rollingUpdate() {
	strategy := r.set.Spec.UpdateStrategy
	if strategy.Type == appsv1.OnDeleteStatefulSetStrategyType {
		return
	}
	if strategy.RollingUpdate != nil && strategy.RollingUpdate.MaxUnavailable != nil {
		r.updateSeveral(r.maxUnavailable(strategy.RollingUpdate.MaxUnavailable))
		return
	}
	for i := len(r.replicas) - 1; i >= r.partition(); i-- {
		if pod := r.replicas[i]; r.outdated(pod) {
			r.do(remove, pod)
			return
		} else if r.unavailable(pod) {
			return
		}
	}
}

// updateSeveral lets as many pods be down at a time as allowed, whatever they are down for (KEP-961).
func (r *rollout) updateSeveral(allowed int) {
	for _, pod := range r.replicas {
		if r.unavailable(pod) {
			allowed--
		}
	}
	for i := len(r.replicas) - 1; i >= r.partition() && allowed > 0; i-- {
		if r.outdated(r.replicas[i]) {
			r.do(remove, r.replicas[i])
			allowed--
		}
	}
}

func (r *rollout) outdated(pod *corev1.Pod) bool {
	return exists(pod) && revisionOf(pod) != r.target.Name && pod.DeletionTimestamp == nil
}

// maxUnavailable reads a number or a percentage, rounded down, but never to nothing.
func (r *rollout) maxUnavailable(value *intstr.IntOrString) int {
	n, err := intstr.GetScaledValueFromIntOrPercent(value, int(*r.set.Spec.Replicas), false)
	if err != nil {
		return 1
	}
	return max(n, 1)
}
