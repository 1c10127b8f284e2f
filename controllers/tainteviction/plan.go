package tainteviction

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// verdict says what becomes of a pod on a tainted node.
type verdict struct {
	evict bool
	after time.Duration // above 0: not yet
}

// decide compares a pod's tolerations with the NoExecute taints of its node. A pod that does not tolerate all of them goes
// at once; else the shortest of the tolerations that it needs counts, from the time when the last taint was added or the
// pod came, whichever is later.
func decide(pod *corev1.Pod, taints []corev1.Taint, now time.Time) verdict {
	since := pod.CreationTimestamp.Time
	var shortest *int64
	tainted := false
	for i := range taints {
		if taints[i].Effect != corev1.TaintEffectNoExecute {
			continue
		}
		tainted = true
		toleration := tolerating(pod.Spec.Tolerations, &taints[i])
		if toleration == nil {
			return verdict{evict: true}
		}
		if taints[i].TimeAdded != nil && taints[i].TimeAdded.After(since) {
			since = taints[i].TimeAdded.Time
		}
		if s := toleration.TolerationSeconds; s != nil && (shortest == nil || *s < *shortest) {
			shortest = s
		}
	}
	if !tainted || shortest == nil {
		return verdict{}
	}
	return verdict{evict: true, after: max(0, since.Add(time.Duration(*shortest)*time.Second).Sub(now))}
}

// tolerating is the first of the tolerations that tolerates the taint, or nil.
func tolerating(tolerations []corev1.Toleration, taint *corev1.Taint) *corev1.Toleration {
	i := slices.IndexFunc(tolerations, func(t corev1.Toleration) bool { return tolerates(&t, taint) })
	if i < 0 {
		return nil
	}
	return &tolerations[i]
}

// tolerates says whether a toleration matches a taint: an empty effect or key matches all.
func tolerates(t *corev1.Toleration, taint *corev1.Taint) bool {
	if t.Effect != "" && t.Effect != taint.Effect || t.Key != "" && t.Key != taint.Key {
		return false
	}
	if t.Operator == corev1.TolerationOpExists {
		return true
	}
	return (t.Operator == "" || t.Operator == corev1.TolerationOpEqual) && t.Value == taint.Value
}
