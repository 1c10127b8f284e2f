package podspec

import (
	"iter"

	corev1 "k8s.io/api/core/v1"
)

// Claims yields the names of the persistent volume claims of a pod, in the order of its volumes, each with its volume.
func Claims(pod *corev1.Pod) iter.Seq2[string, *corev1.Volume] {
	return func(yield func(string, *corev1.Volume) bool) {
		for i := range pod.Spec.Volumes {
			v := &pod.Spec.Volumes[i]
			name := ""
			switch {
			case v.PersistentVolumeClaim != nil:
				name = v.PersistentVolumeClaim.ClaimName
			case v.Ephemeral != nil:
				name = pod.Name + "-" + v.Name
			}
			if name != "" && !yield(name, v) {
				return
			}
		}
	}
}
