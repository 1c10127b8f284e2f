package job

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"proa/reconcile/podstate"
)

const (
	firstBackoff = 10 * time.Second
	mostBackoff  = 10 * time.Minute
)

// backoff is the pause after a number of failures in a row.
func backoff(failures int) time.Duration {
	if failures <= 0 {
		return 0
	}
	pause := firstBackoff
	for range failures - 1 {
		if pause *= 2; pause >= mostBackoff {
			return mostBackoff
		}
	}
	return pause
}

// pause is how long no pod is to be made, after the failures since the last success.
func (w *work) pause() time.Duration {
	var success, last time.Time
	for _, pod := range w.pods.succeeded {
		if end := endOf(pod); end.After(success) {
			success = end
		}
	}
	failures := 0
	for _, pod := range w.pods.failed {
		if end := endOf(pod); pod.Status.Phase == corev1.PodFailed && end.After(success) {
			failures++
			if end.After(last) {
				last = end
			}
		}
	}
	return max(0, backoff(failures)-w.now.Sub(last))
}

// endOf is when a pod ended, as well as that is known.
func endOf(pod *corev1.Pod) time.Time {
	var end time.Time
	for _, s := range pod.Status.ContainerStatuses {
		if s.State.Terminated == nil {
			end = time.Time{}
			break
		}
		if t := s.State.Terminated.FinishedAt.Time; t.After(end) {
			end = t
		}
	}
	if !end.IsZero() {
		return end
	}
	if c := podstate.Condition(pod, corev1.PodReady); c != nil && c.Status == corev1.ConditionFalse && !c.LastTransitionTime.IsZero() {
		return c.LastTransitionTime.Time
	}
	if pod.DeletionTimestamp != nil {
		return pod.DeletionTimestamp.Time
	}
	return pod.CreationTimestamp.Time
}
