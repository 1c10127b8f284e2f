package apps

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/podspec"
)

// validateSelector wants a selector that selects something. what names the kind as upstream's text does.
func validateSelector(selector *metav1.LabelSelector, path *field.Path, what string) field.ErrorList {
	if selector == nil {
		return field.ErrorList{field.Required(path, "")}
	}
	errs := metav1validation.ValidateLabelSelector(selector, metav1validation.LabelSelectorValidationOptions{}, path)
	if len(selector.MatchLabels)+len(selector.MatchExpressions) == 0 {
		errs = append(errs, field.Invalid(path, selector, "empty selector is invalid for "+what))
	}
	return errs
}

// validateTemplate wants a template whose pods the selector finds, and a valid one. broken is the text for a selector that
// cannot be read; then nothing is said of the template.
func validateTemplate(template *corev1.PodTemplateSpec, selector *metav1.LabelSelector, path *field.Path, broken string) field.ErrorList {
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return field.ErrorList{field.Invalid(path.Child("selector"), selector, broken)}
	}
	var errs field.ErrorList
	at := path.Child("template")
	if !s.Empty() && !s.Matches(labels.Set(template.Labels)) {
		errs = append(errs, field.Invalid(at.Child("metadata", "labels"), template.Labels, "`selector` does not match template `labels`"))
	}
	return append(errs, podspec.ValidateTemplate(template, at)...)
}

func validateReplicaSet(rs *appsv1.ReplicaSet) field.ErrorList {
	path, spec := field.NewPath("spec"), &rs.Spec
	errs := meta.NotNegative(path.Child("replicas"), replicasOf(spec.Replicas))
	errs = append(errs, meta.NotNegative(path.Child("minReadySeconds"), spec.MinReadySeconds)...)
	errs = append(errs, validateSelector(spec.Selector, path.Child("selector"), "deployment")...) // upstream's word here too
	errs = append(errs, validateReplicaTemplate(&spec.Template, spec.Selector, path)...)
	return errs
}

// validateReplicaTemplate holds for replica sets and deployments, which make them.
func validateReplicaTemplate(template *corev1.PodTemplateSpec, selector *metav1.LabelSelector, path *field.Path) field.ErrorList {
	errs := validateTemplate(template, selector, path, "invalid label selector")
	if _, err := metav1.LabelSelectorAsSelector(selector); err != nil {
		return errs
	}
	return append(errs, podspec.ValidateRunsForever(&template.Spec, path.Child("template", "spec"), "ReplicaSet")...)
}
