package batch

import (
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"
)

func validateJobUpdate(job, old *batchv1.Job) field.ErrorList {
	_, named := old.Spec.Template.Labels[batchv1.JobNameLabel]
	_, numbered := old.Spec.Template.Labels[batchv1.ControllerUidLabel]
	errs := validateJobWith(job, named && numbered)
	path := field.NewPath("spec")
	errs = append(errs, validateCompletionsUpdate(&job.Spec, &old.Spec, path.Child("completions"))...)
	same := func(name string, now, before any) {
		errs = append(errs, validation.ValidateImmutableField(now, before, path.Child(name))...)
	}
	same("selector", job.Spec.Selector, old.Spec.Selector)
	errs = append(errs, validateTemplateUpdate(job, old, path)...)
	same("completionMode", job.Spec.CompletionMode, old.Spec.CompletionMode)
	same("podFailurePolicy", job.Spec.PodFailurePolicy, old.Spec.PodFailurePolicy)
	same("backoffLimitPerIndex", job.Spec.BackoffLimitPerIndex, old.Spec.BackoffLimitPerIndex)
	same("managedBy", job.Spec.ManagedBy, old.Spec.ManagedBy)
	same("successPolicy", job.Spec.SuccessPolicy, old.Spec.SuccessPolicy)
	return errs
}

// validateCompletionsUpdate lets an indexed job grow and shrink, together with its parallelism.
func validateCompletionsUpdate(spec, old *batchv1.JobSpec, path *field.Path) field.ErrorList {
	switch {
	case !Indexed(spec):
		return validation.ValidateImmutableField(spec.Completions, old.Completions, path)
	case equality.Semantic.DeepEqual(spec.Completions, old.Completions) || spec.Completions == nil:
		return nil
	case *spec.Completions != ptr.Deref(spec.Parallelism, 0):
		return field.ErrorList{field.Invalid(path, spec.Completions, fmt.Sprintf("can only be modified in tandem with %s", path.Root().Child("parallelism")))}
	}
	return nil
}

// validateTemplateUpdate lets a job that has not started, or rests, say anew where its pods may run and what they need.
func validateTemplateUpdate(job, old *batchv1.Job, path *field.Path) field.ErrorList {
	suspended := ptr.Deref(old.Spec.Suspend, false)
	resting := suspended && HasCondition(old, batchv1.JobSuspended) && old.Status.Active == 0
	before := old.Spec.Template.DeepCopy()
	if resting || suspended && old.Status.StartTime == nil {
		takeDirectives(before, &job.Spec.Template)
	}
	if resting {
		takeResources(before.Spec.Containers, job.Spec.Template.Spec.Containers)
		takeResources(before.Spec.InitContainers, job.Spec.Template.Spec.InitContainers)
	}
	return validation.ValidateImmutableField(&job.Spec.Template, before, path.Child("template"))
}

// takeDirectives makes in to whatever of from says where pods may run.
func takeDirectives(to, from *corev1.PodTemplateSpec) {
	var affinity *corev1.NodeAffinity
	if from.Spec.Affinity != nil {
		affinity = from.Spec.Affinity.NodeAffinity
	}
	switch {
	case to.Spec.Affinity != nil:
		to.Spec.Affinity.NodeAffinity = affinity
		if from.Spec.Affinity == nil && *to.Spec.Affinity == (corev1.Affinity{}) {
			to.Spec.Affinity = nil
		}
	case from.Spec.Affinity != nil:
		to.Spec.Affinity = &corev1.Affinity{NodeAffinity: affinity}
	}
	to.Spec.NodeSelector, to.Spec.Tolerations, to.Spec.SchedulingGates = from.Spec.NodeSelector, from.Spec.Tolerations, from.Spec.SchedulingGates
	to.Annotations, to.Labels = from.Annotations, from.Labels
}

func takeResources(to, from []corev1.Container) {
	if len(to) != len(from) {
		return
	}
	for i := range to {
		if to[i].Name == from[i].Name {
			to[i].Resources = from[i].Resources
		}
	}
}
