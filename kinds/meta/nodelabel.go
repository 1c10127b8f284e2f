package meta

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// OldNodeLabel says what became of a label of nodes, "" of those in use.
func OldNodeLabel(key string) string {
	switch key {
	case "beta.kubernetes.io/arch":
		return `deprecated since v1.14; use "kubernetes.io/arch" instead`
	case "beta.kubernetes.io/os":
		return `deprecated since v1.14; use "kubernetes.io/os" instead`
	case corev1.LabelFailureDomainBetaRegion:
		return `deprecated since v1.17; use "topology.kubernetes.io/region" instead`
	case corev1.LabelFailureDomainBetaZone:
		return `deprecated since v1.17; use "topology.kubernetes.io/zone" instead`
	case corev1.LabelInstanceType:
		return `deprecated since v1.17; use "node.kubernetes.io/instance-type" instead`
	case "app.kubernetes.io/created-by":
		return "deprecated since v1.9"
	case "scheduler.alpha.kubernetes.io/preferAvoidPods":
		return "deprecated since v1.22; use Taints and Tolerations instead"
	case "node-role.kubernetes.io/master":
		return `use "node-role.kubernetes.io/control-plane" instead`
	}
	return ""
}

// NodeTermWarnings are hints on a term that selects nodes: old labels, and if asked for, values that no label can have.
func NodeTermWarnings(path *field.Path, term *corev1.NodeSelectorTerm, values bool) []string {
	var list []string
	for i, r := range term.MatchExpressions {
		at := path.Child("matchExpressions").Index(i)
		if text := OldNodeLabel(r.Key); text != "" {
			list = append(list, fmt.Sprintf("%s: %s is %s", at.Child("key"), r.Key, text))
		}
		for j := 0; values && j < len(r.Values); j++ {
			for _, message := range validation.IsValidLabelValue(r.Values[j]) {
				list = append(list, fmt.Sprintf("%s: %s is invalid, %s", at.Child("values").Index(j), r.Values[j], message))
			}
		}
	}
	return list
}

// NodeSelectorWarnings are hints on a selector of nodes: old labels.
func NodeSelectorWarnings(path *field.Path, selector *metav1.LabelSelector) []string {
	if selector == nil {
		return nil
	}
	var list []string
	for i, r := range selector.MatchExpressions {
		if text := OldNodeLabel(r.Key); text != "" {
			list = append(list, fmt.Sprintf("%s: %s is %s", path.Child("matchExpressions").Index(i).Child("key"), r.Key, text))
		}
	}
	for _, key := range Sorted(selector.MatchLabels) {
		if text := OldNodeLabel(key); text != "" {
			list = append(list, fmt.Sprintf("%s: %s", path.Child("matchLabels").Child(key), text))
		}
	}
	return list
}
