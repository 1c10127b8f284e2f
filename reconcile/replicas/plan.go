package replicas

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"proa/reconcile/podstate"
)

// burst bounds the pods that one run creates or deletes.
const burst = 500

// plan is what brings the number of pods in line.
type plan struct {
	create int
	remove []*corev1.Pod
}

// decide compares the active pods of a replica set with what it asks for. related are all pods of the replica sets with the
// same owner: of two equal pods, the one that has more of these beside it goes first.
func decide(rs *appsv1.ReplicaSet, active, related []*corev1.Pod, now time.Time) plan {
	if rs.DeletionTimestamp != nil {
		return plan{}
	}
	diff := len(active) - int(*rs.Spec.Replicas)
	switch {
	case diff < 0:
		return plan{create: min(-diff, burst)}
	case diff > 0:
		return plan{remove: byDeletion(active, related, now)[:min(diff, burst)]}
	}
	return plan{}
}

// observed is what the status is made of.
type observed struct {
	active      []*corev1.Pod
	terminating *int32 // nil: the kind does not count them
	failure     error  // of creating or deleting pods
	now         time.Time
}

// status computes the replica set's status; changed is false when it is as stored.
func status(rs *appsv1.ReplicaSet, seen observed) (next appsv1.ReplicaSetStatus, changed bool) {
	next = *rs.Status.DeepCopy()
	template := labels.SelectorFromSet(rs.Spec.Template.Labels)
	next.Replicas = int32(len(seen.active))
	next.FullyLabeledReplicas, next.ReadyReplicas, next.AvailableReplicas = 0, 0, 0
	for _, pod := range seen.active {
		if template.Matches(labels.Set(pod.Labels)) {
			next.FullyLabeledReplicas++
		}
		if podstate.Available(pod, rs.Spec.MinReadySeconds, seen.now) {
			next.AvailableReplicas++
		}
		if podstate.Ready(pod) {
			next.ReadyReplicas++
		}
	}
	next.TerminatingReplicas = seen.terminating
	next.ObservedGeneration = rs.Generation
	next.Conditions = failureCondition(rs, seen)
	return next, !equality.Semantic.DeepEqual(next, rs.Status)
}

// failureCondition keeps the first failure's condition until all is well again, as upstream does.
func failureCondition(rs *appsv1.ReplicaSet, seen observed) []appsv1.ReplicaSetCondition {
	var conditions []appsv1.ReplicaSetCondition
	had := false
	for _, c := range rs.Status.Conditions {
		if c.Type == appsv1.ReplicaSetReplicaFailure {
			had = true
			if seen.failure == nil {
				continue
			}
		}
		conditions = append(conditions, c)
	}
	if seen.failure == nil || had {
		return conditions
	}
	reason := "FailedCreate"
	if len(seen.active) > int(*rs.Spec.Replicas) {
		reason = "FailedDelete"
	}
	return append(conditions, appsv1.ReplicaSetCondition{
		Type: appsv1.ReplicaSetReplicaFailure, Status: corev1.ConditionTrue, Reason: reason,
		Message: seen.failure.Error(), LastTransitionTime: metav1.NewTime(seen.now),
	})
}
