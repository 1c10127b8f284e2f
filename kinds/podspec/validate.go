package podspec

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// ValidatePod says what is wrong with a new pod, but for its metadata in general.
func ValidatePod(pod *corev1.Pod) field.ErrorList {
	c := checkPod(pod)
	path := field.NewPath("spec")
	c.forbidIf(len(pod.Spec.EphemeralContainers) > 0, path.Child("ephemeralContainers"), "cannot be set on create")
	gated := pod.Spec.NodeName != "" && len(pod.Spec.SchedulingGates) > 0
	c.forbidIf(gated, path.Child("nodeName"), "cannot be set until all schedulingGates have been cleared")
	c.checkProfilesMatch(path, &pod.ObjectMeta)
	return c.errs
}

// checkPod applies the rules that hold for a pod at any time.
func checkPod(pod *corev1.Pod) *checker {
	c := newChecker(&pod.Spec)
	c.isPod, c.podName = true, pod.Name
	_, c.isMirror = pod.Annotations[corev1.MirrorPodAnnotationKey]
	path := field.NewPath("spec")
	c.checkAnnotations(field.NewPath("metadata", "annotations"), pod.Annotations)
	c.check(path)
	c.checkTokensHaveAccount(path)
	c.checkImagesTrimmed(path)
	return c
}

// ValidateTemplate says what is wrong with the pod template that stands at path.
func ValidateTemplate(template *corev1.PodTemplateSpec, path *field.Path) field.ErrorList {
	c := newChecker(&template.Spec)
	c.addAll(metav1validation.ValidateLabels(template.Labels, path.Child("labels")))
	c.addAll(validation.ValidateAnnotations(template.Annotations, path.Child("annotations")))
	c.checkAnnotations(path.Child("annotations"), template.Annotations)
	c.check(path.Child("spec"))
	c.checkProfilesMatch(path.Child("spec"), &template.ObjectMeta)
	c.forbidIf(len(template.Spec.EphemeralContainers) > 0, path.Child("spec", "ephemeralContainers"), "ephemeral containers not allowed in pod template")
	return c.errs
}

// ValidateRunsForever refuses what only makes sense for pods that end. path is the spec's; what names the kind as upstream's
// text does.
func ValidateRunsForever(spec *corev1.PodSpec, path *field.Path, what string) field.ErrorList {
	var errs field.ErrorList
	if spec.RestartPolicy != corev1.RestartPolicyAlways {
		errs = append(errs, field.NotSupported(path.Child("restartPolicy"), spec.RestartPolicy, []corev1.RestartPolicy{corev1.RestartPolicyAlways}))
	}
	if spec.ActiveDeadlineSeconds != nil {
		errs = append(errs, field.Forbidden(path.Child("activeDeadlineSeconds"), "activeDeadlineSeconds in "+what+" is not Supported"))
	}
	return errs
}
