package apps

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// selectorText is the selector as the scale subresource gives it to autoscalers; empty if it cannot be read.
func selectorText(selector *metav1.LabelSelector) string {
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return ""
	}
	return s.String()
}
