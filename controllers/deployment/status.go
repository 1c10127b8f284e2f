package deployment

import (
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// status counts pods over all replica sets, and says whether enough are available.
func (r *rollout) status() appsv1.DeploymentStatus {
	all := r.all()
	next := appsv1.DeploymentStatus{
		ObservedGeneration:  r.d.Generation,
		AvailableReplicas:   available(all),
		CollisionCount:      r.d.Status.CollisionCount,
		Conditions:          slices.Clone(r.d.Status.Conditions),
		TerminatingReplicas: terminating(all),
	}
	for _, rs := range all {
		next.Replicas += rs.Status.Replicas
		next.ReadyReplicas += rs.Status.ReadyReplicas
	}
	if r.new != nil {
		next.UpdatedReplicas = r.new.Status.Replicas
	}
	next.UnavailableReplicas = max(0, desired(all)-next.AvailableReplicas)
	if next.AvailableReplicas >= *r.d.Spec.Replicas-maxUnavailable(r.d) {
		r.setCondition(&next, appsv1.DeploymentAvailable, corev1.ConditionTrue,
			"MinimumReplicasAvailable", "Deployment has minimum availability.")
	} else {
		r.setCondition(&next, appsv1.DeploymentAvailable, corev1.ConditionFalse,
			"MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
	}
	return next
}

// terminating sums terminating pods; nil when a replica set does not say.
func terminating(all []*appsv1.ReplicaSet) *int32 {
	sum := int32(0)
	for _, rs := range all {
		switch {
		case rs.Status.TerminatingReplicas != nil:
			sum += *rs.Status.TerminatingReplicas
		case rs.Status.ObservedGeneration != 0:
			return nil
		}
	}
	return &sum
}

// rolloutStatus is the status of a deployment that is neither paused nor being scaled: it also says whether there is
// progress, and what replica sets fail at.
func (r *rollout) rolloutStatus() appsv1.DeploymentStatus {
	next := r.status()
	current := condition(&r.d.Status, appsv1.DeploymentProgressing)
	done := next.Replicas == next.UpdatedReplicas && current != nil && current.Reason == newAvailable
	switch {
	case !hasDeadline(r.d):
		removeCondition(&next, appsv1.DeploymentProgressing)
	case !done:
		r.setProgress(&next, current)
	}
	if failure := r.failure(); failure != nil {
		setCondition(&next, *failure)
	} else {
		removeCondition(&next, appsv1.DeploymentReplicaFailure)
	}
	return next
}

const (
	newAvailable = "NewReplicaSetAvailable"
	timedOut     = "ProgressDeadlineExceeded"
)

func (r *rollout) setProgress(next *appsv1.DeploymentStatus, current *appsv1.DeploymentCondition) {
	what := fmt.Sprintf("Deployment %q", r.d.Name)
	if r.new != nil {
		what = fmt.Sprintf("ReplicaSet %q", r.new.Name)
	}
	switch {
	case complete(r.d, next):
		r.setCondition(next, appsv1.DeploymentProgressing, corev1.ConditionTrue, newAvailable, what+" has successfully progressed.")
	case progressing(&r.d.Status, next):
		fresh := r.condition(appsv1.DeploymentProgressing, corev1.ConditionTrue, "ReplicaSetUpdated", what+" is progressing.")
		if current != nil && current.Status == corev1.ConditionTrue {
			fresh.LastTransitionTime = current.LastTransitionTime
		}
		removeCondition(next, appsv1.DeploymentProgressing) // or the time of the update would stay with the same reason
		setCondition(next, fresh)
	case r.late(current):
		r.setCondition(next, appsv1.DeploymentProgressing, corev1.ConditionFalse, timedOut, what+" has timed out progressing.")
	}
}

// complete says whether all pods are new and available, and no old ones are left.
func complete(d *appsv1.Deployment, status *appsv1.DeploymentStatus) bool {
	want := *d.Spec.Replicas
	return status.UpdatedReplicas == want && status.Replicas == want && status.AvailableReplicas == want &&
		status.ObservedGeneration >= d.Generation
}

// progressing says whether there are more new pods, fewer old ones, or more that are ready or available.
func progressing(old, next *appsv1.DeploymentStatus) bool {
	return next.UpdatedReplicas > old.UpdatedReplicas ||
		next.Replicas-next.UpdatedReplicas < old.Replicas-old.UpdatedReplicas ||
		next.ReadyReplicas > old.ReadyReplicas ||
		next.AvailableReplicas > old.AvailableReplicas
}

func hasDeadline(d *appsv1.Deployment) bool {
	return d.Spec.ProgressDeadlineSeconds != nil && *d.Spec.ProgressDeadlineSeconds != unlimited
}

// late says whether the last progress is longer ago than the deadline allows.
func (r *rollout) late(current *appsv1.DeploymentCondition) bool {
	if current == nil || current.Reason == newAvailable {
		return false
	}
	return current.Reason == timedOut || r.deadline(current).Before(r.now)
}

func (r *rollout) deadline(current *appsv1.DeploymentCondition) time.Time {
	return current.LastUpdateTime.Add(time.Duration(*r.d.Spec.ProgressDeadlineSeconds) * time.Second)
}

// deadlineIn is when to look whether a rollout without progress is late; 0 when there is nothing to wait for.
func (r *rollout) deadlineIn(before *appsv1.Deployment) time.Duration {
	current := condition(&before.Status, appsv1.DeploymentProgressing)
	if !hasDeadline(r.d) || current == nil || complete(r.d, &r.d.Status) || current.Reason == timedOut {
		return 0
	}
	return max(time.Second, r.deadline(current).Sub(r.now)+time.Second)
}

// failure is the failure that a replica set reports, the new one's before the others'.
func (r *rollout) failure() *appsv1.DeploymentCondition {
	all := r.all()
	slices.Reverse(all)
	for _, rs := range all {
		for _, c := range rs.Status.Conditions {
			if c.Type == appsv1.ReplicaSetReplicaFailure {
				return &appsv1.DeploymentCondition{
					Type: appsv1.DeploymentReplicaFailure, Status: c.Status, Reason: c.Reason, Message: c.Message,
					LastTransitionTime: c.LastTransitionTime, LastUpdateTime: c.LastTransitionTime,
				}
			}
		}
	}
	return nil
}

// pause notes that progress is not measured while the deployment is paused. A deadline that has passed stays passed.
func (r *rollout) pause() {
	current := condition(&r.d.Status, appsv1.DeploymentProgressing)
	if !hasDeadline(r.d) || current != nil && current.Reason == timedOut {
		return
	}
	noted := current != nil && current.Reason == "DeploymentPaused"
	switch {
	case r.d.Spec.Paused && !noted:
		r.setCondition(&r.d.Status, appsv1.DeploymentProgressing, corev1.ConditionUnknown, "DeploymentPaused", "Deployment is paused")
	case !r.d.Spec.Paused && noted:
		r.setCondition(&r.d.Status, appsv1.DeploymentProgressing, corev1.ConditionUnknown, "DeploymentResumed", "Deployment is resumed")
	}
}
