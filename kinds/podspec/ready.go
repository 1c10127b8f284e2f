package podspec

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Condition returns the pod's condition of a type, or nil.
func Condition(pod *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == kind {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}

// IsReady: the pod's Ready condition is true.
func IsReady(pod *corev1.Pod) bool {
	c := Condition(pod, corev1.PodReady)
	return c != nil && c.Status == corev1.ConditionTrue
}

// IsAvailable: the pod has been ready for minReadySeconds at the time now.
func IsAvailable(pod *corev1.Pod, minReadySeconds int32, now time.Time) bool {
	if !IsReady(pod) {
		return false
	}
	since := Condition(pod, corev1.PodReady).LastTransitionTime
	wait := time.Duration(minReadySeconds) * time.Second
	return wait == 0 || !since.IsZero() && !since.Add(wait).After(now)
}

// AvailableIn is how long a ready pod must stay ready from now on until it is available; 0 when it is available,
// or not ready at all: then only an event of the pod can change that.
func AvailableIn(pod *corev1.Pod, minReadySeconds int32, now time.Time) time.Duration {
	if !IsReady(pod) || IsAvailable(pod, minReadySeconds, now) {
		return 0
	}
	since := Condition(pod, corev1.PodReady).LastTransitionTime
	return since.Add(time.Duration(minReadySeconds) * time.Second).Sub(now)
}

// IsTerminal: no container of the pod will run again.
func IsTerminal(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded
}

// IsActive: the pod runs or will run, and nobody has asked it to stop.
func IsActive(pod *corev1.Pod) bool { return !IsTerminal(pod) && pod.DeletionTimestamp == nil }
