package admit

import (
	"context"

	corev1 "k8s.io/api/core/v1"
)

// tolerateSeconds is how long a pod stays on a node that is not ready or not reachable.
const tolerateSeconds = 300

// defaultTolerations lets pods stay on a troubled node for a while, unless they say how long themselves.
func defaultTolerations(_ context.Context, a *Attributes) error {
	if !a.Is("pods") || a.Operation == Delete {
		return nil
	}
	pod, ok := a.Object.(*corev1.Pod)
	if !ok {
		return nil
	}
	for _, taint := range []string{corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable} {
		if !tolerates(pod.Spec.Tolerations, taint) {
			seconds := int64(tolerateSeconds)
			pod.Spec.Tolerations = append(pod.Spec.Tolerations, corev1.Toleration{Key: taint, Operator: corev1.TolerationOpExists,
				Effect: corev1.TaintEffectNoExecute, TolerationSeconds: &seconds})
		}
	}
	return nil
}

func tolerates(tolerations []corev1.Toleration, taint string) bool {
	for _, t := range tolerations {
		if (t.Key == taint || t.Key == "") && (t.Effect == corev1.TaintEffectNoExecute || t.Effect == "") {
			return true
		}
	}
	return false
}
