package podspec

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DropDisabled clears the fields that Kubernetes v1.36 only knows behind a feature gate that is off by default, as its
// API server does: the user's object is stored without them.
func DropDisabled(spec *corev1.PodSpec) {
	spec.SchedulingGroup = nil // GenericWorkload
	for i := range spec.Volumes {
		if spec.Volumes[i].Projected == nil {
			continue
		}
		for j := range spec.Volumes[i].Projected.Sources {
			spec.Volumes[i].Projected.Sources[j].ClusterTrustBundle = nil // ClusterTrustBundleProjection
			spec.Volumes[i].Projected.Sources[j].PodCertificate = nil     // PodCertificateRequest
		}
	}
	for c := range Containers(spec) {
		if c.Lifecycle == nil || c.Lifecycle.StopSignal == nil {
			continue
		}
		c.Lifecycle.StopSignal = nil // ContainerStopSignals
		if c.Lifecycle.PostStart == nil && c.Lifecycle.PreStop == nil {
			c.Lifecycle = nil
		}
	}
}

// MergeLabelKeys turns matchLabelKeys and mismatchLabelKeys of affinity terms and spread constraints into requirements
// on the values that the pod has at its creation (KEP-3633, KEP-3243).
func MergeLabelKeys(pod *corev1.Pod) {
	if a := pod.Spec.Affinity; a != nil {
		if a.PodAffinity != nil {
			mergeTerms(a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution, a.PodAffinity.PreferredDuringSchedulingIgnoredDuringExecution, pod.Labels)
		}
		if a.PodAntiAffinity != nil {
			mergeTerms(a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution, a.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution, pod.Labels)
		}
	}
	for i := range pod.Spec.TopologySpreadConstraints {
		c := &pod.Spec.TopologySpreadConstraints[i]
		requireLabels(c.LabelSelector, c.MatchLabelKeys, metav1.LabelSelectorOpIn, pod.Labels)
	}
}

func mergeTerms(required []corev1.PodAffinityTerm, preferred []corev1.WeightedPodAffinityTerm, labels map[string]string) {
	merge := func(term *corev1.PodAffinityTerm) {
		requireLabels(term.LabelSelector, term.MatchLabelKeys, metav1.LabelSelectorOpIn, labels)
		requireLabels(term.LabelSelector, term.MismatchLabelKeys, metav1.LabelSelectorOpNotIn, labels)
	}
	for i := range preferred {
		merge(&preferred[i].PodAffinityTerm)
	}
	for i := range required {
		merge(&required[i])
	}
}

// requireLabels adds a requirement for each key that labels has. A nil selector matches nothing and stays so.
func requireLabels(selector *metav1.LabelSelector, keys []string, operator metav1.LabelSelectorOperator, labels map[string]string) {
	if selector == nil {
		return
	}
	for _, key := range keys {
		if value, ok := labels[key]; ok {
			requirement := metav1.LabelSelectorRequirement{Key: key, Operator: operator, Values: []string{value}}
			selector.MatchExpressions = append(selector.MatchExpressions, requirement)
		}
	}
}
