package apps

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

func containersColumn() resource.Column {
	return meta.Wide("Containers", "Names of each container in the template.")
}

func imagesColumn() resource.Column {
	return meta.Wide("Images", "Images referenced by each container in the template.")
}

// containerCells are the cells of containersColumn and imagesColumn.
func containerCells(containers []corev1.Container) (names, images string) {
	var n, i []string
	for _, c := range containers {
		n, i = append(n, c.Name), append(i, c.Image)
	}
	return strings.Join(n, ","), strings.Join(i, ",")
}

// selectorText is the selector as the scale subresource gives it to autoscalers; empty if it cannot be read.
func selectorText(selector *metav1.LabelSelector) string {
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return ""
	}
	return s.String()
}
