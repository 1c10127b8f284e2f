package apps

import (
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Upstream keeps the template generation as a field that apps/v1 shows as an annotation. Here it is the annotation.

func readTemplateGeneration(obj metav1.Object) int64 {
	n, err := strconv.ParseInt(obj.GetAnnotations()[templateGeneration], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func writeTemplateGeneration(obj metav1.Object, generation int64) {
	annotations := obj.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[templateGeneration] = strconv.FormatInt(generation, 10)
	obj.SetAnnotations(annotations)
}
