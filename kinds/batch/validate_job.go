package batch

import (
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/labels"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	"proa/kinds/meta"
	"proa/kinds/podspec"
)

const (
	mostIndexes    = 100_000 // parallelism and failed indexes of an indexed job: its status lists them
	mostManagedBy  = 63
	mostIndexBytes = 64 << 10
)

func validateJob(job *batchv1.Job) field.ErrorList { return validateJobWith(job, true) }

// validateJobWith wants the prefixed labels only of jobs that have had them from the start.
func validateJobWith(job *batchv1.Job, prefixed bool) field.ErrorList {
	path := field.NewPath("spec")
	errs := validateOwnSelector(job, prefixed)
	errs = append(errs, validateJobSpec(&job.Spec, path)...)
	errs = append(errs, validateJobSelector(&job.Spec, path)...)
	if n := ptr.Deref(job.Spec.Completions, 0); Indexed(&job.Spec) && n > 0 {
		last := fmt.Sprintf("%s-%d", job.Name, n-1)
		if len(utilvalidation.IsDNS1123Label(last)) > 0 {
			errs = append(errs, field.Invalid(field.NewPath("metadata", "name"), job.Name, "will not able to create pod with invalid DNS label: "+last))
		}
	}
	return errs
}

// validateOwnSelector: a selector that was made for the job selects its pods and no others.
func validateOwnSelector(job *batchv1.Job, prefixed bool) field.ErrorList {
	if ptr.Deref(job.Spec.ManualSelector, false) || job.Spec.Selector == nil {
		return nil
	}
	var errs field.ErrorList
	at := field.NewPath("spec", "template", "metadata", "labels")
	expected := labels.Set{}
	check := func(key, want string) {
		expected[key] = want
		switch have, there := job.Spec.Template.Labels[key]; {
		case !there:
			errs = append(errs, field.Required(at.Key(key), fmt.Sprintf("must be '%s'", want)))
		case have != want:
			errs = append(errs, field.Invalid(at.Key(key), job.Spec.Template.Labels, fmt.Sprintf("must be '%s'", want)))
		}
	}
	check(legacyControllerUID, string(job.UID))
	check(legacyJobName, job.Name)
	if prefixed {
		check(batchv1.ControllerUidLabel, string(job.UID))
		check(batchv1.JobNameLabel, job.Name)
	}
	if s, err := metav1.LabelSelectorAsSelector(job.Spec.Selector); err == nil && !s.Matches(expected) {
		errs = append(errs, field.Invalid(field.NewPath("spec", "selector"), job.Spec.Selector, "`selector` not auto-generated"))
	}
	return errs
}

func validateJobSelector(spec *batchv1.JobSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if spec.Selector == nil {
		errs = append(errs, field.Required(path.Child("selector"), ""))
	} else {
		errs = metav1validation.ValidateLabelSelector(spec.Selector, metav1validation.LabelSelectorValidationOptions{}, path.Child("selector"))
	}
	if s, err := metav1.LabelSelectorAsSelector(spec.Selector); err == nil && !s.Matches(labels.Set(spec.Template.Labels)) {
		errs = append(errs, field.Invalid(path.Child("template", "metadata", "labels"), spec.Template.Labels, "`selector` does not match template `labels`"))
	}
	return errs
}

// validateJobSpec holds for jobs and for the templates of cron jobs.
func validateJobSpec(spec *batchv1.JobSpec, path *field.Path) field.ErrorList {
	errs := validateJobNumbers(spec, path)
	if by := spec.ManagedBy; by != nil {
		errs = append(errs, utilvalidation.IsDomainPrefixedPath(path.Child("managedBy"), *by)...)
		if len(*by) > mostManagedBy {
			errs = append(errs, field.TooLong(path.Child("managedBy"), "", mostManagedBy))
		}
	}
	errs = append(errs, validateCompletionMode(spec, path)...)
	errs = append(errs, validateFailurePolicy(spec, path.Child("podFailurePolicy"))...)
	errs = append(errs, validateSuccessPolicy(spec, path.Child("successPolicy"))...)
	errs = append(errs, validateReplacement(spec, path.Child("podReplacementPolicy"))...)
	errs = append(errs, podspec.ValidateTemplate(&spec.Template, path.Child("template"))...)
	return append(errs, validateJobRestart(spec, path.Child("template", "spec", "restartPolicy"))...)
}

func validateJobNumbers(spec *batchv1.JobSpec, path *field.Path) field.ErrorList {
	errs := meta.NotNegatives(path, meta.Optional("parallelism", spec.Parallelism), meta.Optional("completions", spec.Completions))
	if spec.ActiveDeadlineSeconds != nil {
		errs = append(errs, meta.NotNegative(path.Child("activeDeadlineSeconds"), *spec.ActiveDeadlineSeconds)...)
	}
	errs = append(errs, meta.NotNegatives(path, meta.Optional("backoffLimit", spec.BackoffLimit),
		meta.Optional("ttlSecondsAfterFinished", spec.TTLSecondsAfterFinished),
		meta.Optional("backoffLimitPerIndex", spec.BackoffLimitPerIndex), meta.Optional("maxFailedIndexes", spec.MaxFailedIndexes))...)
	if spec.MaxFailedIndexes != nil && spec.BackoffLimitPerIndex == nil {
		errs = append(errs, field.Required(path.Child("backoffLimitPerIndex"), "when maxFailedIndexes is specified"))
	}
	return errs
}

func validateCompletionMode(spec *batchv1.JobSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	mode := ptr.Deref(spec.CompletionMode, batchv1.NonIndexedCompletion)
	switch mode {
	case batchv1.IndexedCompletion:
		return validateIndexed(spec, path)
	case batchv1.NonIndexedCompletion:
		if n := spec.BackoffLimitPerIndex; n != nil {
			errs = append(errs, field.Invalid(path.Child("backoffLimitPerIndex"), *n, "requires indexed completion mode"))
		}
		if n := spec.MaxFailedIndexes; n != nil {
			errs = append(errs, field.Invalid(path.Child("maxFailedIndexes"), *n, "requires indexed completion mode"))
		}
		return errs
	}
	return field.ErrorList{field.NotSupported(path.Child("completionMode"), &mode, []batchv1.CompletionMode{batchv1.NonIndexedCompletion, batchv1.IndexedCompletion})}
}

func validateIndexed(spec *batchv1.JobSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	atMost := func(name string, value *int32, limit int32, detail string) {
		if value != nil && *value > limit {
			errs = append(errs, field.Invalid(path.Child(name), *value, detail))
		}
	}
	if spec.Completions == nil {
		errs = append(errs, field.Required(path.Child("completions"), "when completion mode is Indexed"))
	}
	atMost("parallelism", spec.Parallelism, mostIndexes, fmt.Sprintf("must be less than or equal to %d when completion mode is Indexed", mostIndexes))
	if spec.Completions != nil {
		atMost("maxFailedIndexes", spec.MaxFailedIndexes, *spec.Completions, "must be less than or equal to completions")
	}
	atMost("maxFailedIndexes", spec.MaxFailedIndexes, mostIndexes, fmt.Sprintf("must be less than or equal to %d", mostIndexes))
	if ptr.Deref(spec.Completions, 0) <= manyCompletions || spec.BackoffLimitPerIndex == nil {
		return errs
	}
	if spec.MaxFailedIndexes == nil {
		errs = append(errs, field.Required(path.Child("maxFailedIndexes"), fmt.Sprintf("must be specified when completions is above %d", manyCompletions)))
	}
	detail := fmt.Sprintf("must be less than or equal to %d when completions are above %d and used with backoff limit per index", muchParallelism, manyCompletions)
	atMost("parallelism", spec.Parallelism, muchParallelism, detail)
	atMost("maxFailedIndexes", spec.MaxFailedIndexes, muchParallelism, detail)
	return errs
}

func validateReplacement(spec *batchv1.JobSpec, path *field.Path) field.ErrorList {
	if spec.PodReplacementPolicy == nil {
		return nil
	}
	switch policy := *spec.PodReplacementPolicy; {
	case policy == batchv1.Failed:
		return nil
	case spec.PodFailurePolicy != nil:
		return field.ErrorList{field.NotSupported(path, policy, []batchv1.PodReplacementPolicy{batchv1.Failed})}
	case policy == batchv1.TerminatingOrFailed:
		return nil
	default:
		return field.ErrorList{field.NotSupported(path, policy, []batchv1.PodReplacementPolicy{batchv1.Failed, batchv1.TerminatingOrFailed})}
	}
}

// validateJobRestart: a pod that is always started again never ends.
func validateJobRestart(spec *batchv1.JobSpec, path *field.Path) field.ErrorList {
	switch policy := spec.Template.Spec.RestartPolicy; {
	case policy == corev1.RestartPolicyAlways || policy == "":
		return field.ErrorList{field.Required(path, fmt.Sprintf("valid values: %q, %q", corev1.RestartPolicyOnFailure, corev1.RestartPolicyNever))}
	case policy != corev1.RestartPolicyOnFailure && policy != corev1.RestartPolicyNever:
		return field.ErrorList{field.NotSupported(path, policy, []corev1.RestartPolicy{corev1.RestartPolicyOnFailure, corev1.RestartPolicyNever})}
	case spec.PodFailurePolicy != nil && policy != corev1.RestartPolicyNever:
		return field.ErrorList{field.Invalid(path, policy, fmt.Sprintf("only %q is supported when podFailurePolicy is specified", corev1.RestartPolicyNever))}
	}
	return nil
}
