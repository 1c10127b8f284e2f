package statefulset

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
)

// status counts pods; gone are those that were just deleted. changed is false when the status is as stored.
func (r *rollout) status(gone map[*corev1.Pod]bool) (next appsv1.StatefulSetStatus, changed bool) {
	next = appsv1.StatefulSetStatus{
		ObservedGeneration: r.set.Generation,
		CurrentRevision:    r.current.Name,
		UpdateRevision:     r.target.Name,
		CollisionCount:     &r.collisions,
		Conditions:         r.set.Status.Conditions,
	}
	count(&next, r.snapshot, gone)
	wanted := *r.set.Spec.Replicas
	if r.set.Spec.UpdateStrategy.Type == appsv1.RollingUpdateStatefulSetStrategyType &&
		next.UpdatedReplicas == wanted && next.ReadyReplicas == wanted && next.Replicas == wanted {
		next.CurrentReplicas, next.CurrentRevision = next.UpdatedReplicas, next.UpdateRevision // all have come through
	}
	return next, !equality.Semantic.DeepEqual(next, r.set.Status)
}

// lastStatus is the status of a set that is being deleted: its revisions may be gone before its pods.
func lastStatus(s snapshot) (next appsv1.StatefulSetStatus, changed bool) {
	next = *s.set.Status.DeepCopy()
	next.ObservedGeneration = s.set.Generation
	count(&next, s, nil)
	return next, !equality.Semantic.DeepEqual(next, s.set.Status)
}

// count fills in the numbers of a status with the revisions that it names.
func count(status *appsv1.StatefulSetStatus, s snapshot, gone map[*corev1.Pod]bool) {
	status.Replicas, status.ReadyReplicas, status.AvailableReplicas = 0, 0, 0
	status.CurrentReplicas, status.UpdatedReplicas = 0, 0
	r := rollout{snapshot: s}
	for _, pod := range s.pods {
		status.Replicas++
		if runningAndReady(pod) {
			status.ReadyReplicas++
			if r.available(pod) {
				status.AvailableReplicas++
			}
		}
		if pod.DeletionTimestamp != nil || gone[pod] {
			continue
		}
		if revisionOf(pod) == status.CurrentRevision {
			status.CurrentReplicas++
		}
		if revisionOf(pod) == status.UpdateRevision {
			status.UpdatedReplicas++
		}
	}
}
