package meta

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// CountGeneration sets obj's generation: that of old, one more if what is asked for changed.
func CountGeneration(obj, old metav1.Object, changed bool) {
	generation := old.GetGeneration()
	if changed {
		generation++
	}
	obj.SetGeneration(generation)
}
