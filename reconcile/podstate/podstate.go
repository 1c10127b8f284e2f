// Package podstate says in what state a Pod is. It decides nothing else, owns nothing, and is shared by the controllers
// so that they agree on words such as "active" and "available". All functions are pure.
package podstate

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Condition returns the pod's condition of a type, or nil.
func Condition(pod *corev1.Pod, conditionType corev1.PodConditionType) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == conditionType {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}

// Ready says whether the pod's Ready condition is True.
func Ready(pod *corev1.Pod) bool {
	c := Condition(pod, corev1.PodReady)
	return c != nil && c.Status == corev1.ConditionTrue
}

// ReadySince is when the pod became Ready; zero if it is not.
func ReadySince(pod *corev1.Pod) time.Time {
	if c := Condition(pod, corev1.PodReady); c != nil && c.Status == corev1.ConditionTrue {
		return c.LastTransitionTime.Time
	}
	return time.Time{}
}

// AvailableIn is how long it takes until the pod has been Ready for minReadySeconds; 0 when it has, and ok is false when it
// is not Ready at all.
func AvailableIn(pod *corev1.Pod, minReadySeconds int32, now time.Time) (wait time.Duration, ok bool) {
	if !Ready(pod) {
		return 0, false
	}
	if minReadySeconds == 0 {
		return 0, true
	}
	since := ReadySince(pod)
	if since.IsZero() {
		return 0, false
	}
	return max(0, since.Add(time.Duration(minReadySeconds)*time.Second).Sub(now)), true
}

// Available says whether the pod has been Ready for minReadySeconds.
func Available(pod *corev1.Pod, minReadySeconds int32, now time.Time) bool {
	wait, ready := AvailableIn(pod, minReadySeconds, now)
	return ready && wait == 0
}

// NextCheck is when a Ready pod will next have been so for minReadySeconds; 0 when there is nothing to wait for.
func NextCheck(pods []*corev1.Pod, minReadySeconds int32, now time.Time) time.Duration {
	var next time.Duration
	for _, pod := range pods {
		wait, ready := AvailableIn(pod, minReadySeconds, now)
		if ready && wait > 0 && (next == 0 || wait < next) {
			next = wait
		}
	}
	return next
}

// Terminal says whether the pod has run to its end.
func Terminal(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// Active says whether the pod counts as a replica: it has neither ended nor is it being deleted.
func Active(pod *corev1.Pod) bool { return !Terminal(pod) && pod.DeletionTimestamp == nil }

// Terminating says whether the pod is being deleted and has not ended yet.
func Terminating(pod *corev1.Pod) bool { return !Terminal(pod) && pod.DeletionTimestamp != nil }
