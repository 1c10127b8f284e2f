package batch

import (
	"fmt"
	"maps"
	"math"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	"proa/kinds/meta"
	"proa/kinds/podspec"
	"proa/kinds/resource"
)

// Labels that a job's pods have had since before labels had prefixes.
const (
	legacyJobName       = "job-name"
	legacyControllerUID = "controller-uid"
)

// Job is the row of jobs.
func Job() *resource.Resource {
	return &resource.Resource{
		Group: "batch", Version: "v1", Name: "jobs", Singular: "job", Kind: "Job",
		Categories: []string{"all"}, Namespaced: true,
		New:     func() resource.Object { return &batchv1.Job{} },
		NewList: func() runtime.Object { return &batchv1.JobList{} },

		Default:        resource.Do(defaultJob),
		PrepareCreate:  resource.Do(prepareJobCreate),
		PrepareUpdate:  resource.Do2(prepareJobUpdate),
		Validate:       resource.Typed(validateJob),
		ValidateUpdate: resource.Typed2(validateJobUpdate),
		Warnings:       jobWarnings,

		AllowUnconditionalUpdate: true,
		OrphanDependents:         true,
		OrphanWarning: "child pods are preserved by default when jobs are deleted; " +
			"set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning",
		Status: &resource.Subresource{
			Name: "status", Verbs: []string{"get", "patch", "update"},
			PrepareUpdate: resource.Do2(prepareJobStatus), ValidateUpdate: resource.Typed2(validateJobStatus),
		},
		Columns: jobColumns(),
		Row:     resource.Typed(jobRow),

		Fields:      jobFields,
		FieldLabels: []string{"status.successful"}, FieldRefusal: "field label %q not supported for Job",
	}
}

func defaultJob(job *batchv1.Job) {
	defaultJobSpec(&job.Spec)
	podspec.DefaultTemplate(&job.Spec.Template)
	if len(job.Labels) == 0 {
		job.Labels = job.Spec.Template.Labels // the same map: selectOwnPods adds to both, as upstream does
	}
	spec := &job.Spec
	if spec.Completions == nil && spec.Parallelism == nil {
		defaultTo(&spec.Completions, 1)
	}
	defaultTo(&spec.Parallelism, 1)
	limit := int32(6)
	if spec.BackoffLimitPerIndex != nil { // each index has its own; all together have none
		limit = math.MaxInt32
	}
	defaultTo(&spec.BackoffLimit, limit)
	defaultTo(&spec.CompletionMode, batchv1.NonIndexedCompletion)
	defaultTo(&spec.Suspend, false)
	defaultTo(&spec.ManualSelector, false)
	replacement := batchv1.TerminatingOrFailed
	if spec.PodFailurePolicy != nil { // how a pod fails is known when it has ended
		replacement = batchv1.Failed
	}
	defaultTo(&spec.PodReplacementPolicy, replacement)
}

// defaultJobSpec fills in what is filled in for a job template too.
func defaultJobSpec(spec *batchv1.JobSpec) {
	if spec.PodFailurePolicy == nil {
		return
	}
	for i := range spec.PodFailurePolicy.Rules {
		for j := range spec.PodFailurePolicy.Rules[i].OnPodConditions {
			if c := &spec.PodFailurePolicy.Rules[i].OnPodConditions[j]; c.Status == "" {
				c.Status = corev1.ConditionTrue
			}
		}
	}
}

func defaultTo[T any](value **T, to T) {
	if *value == nil {
		*value = &to
	}
}

// Indexed says whether each completion of the job has a number.
func Indexed(spec *batchv1.JobSpec) bool {
	return ptr.Deref(spec.CompletionMode, batchv1.NonIndexedCompletion) == batchv1.IndexedCompletion
}

func prepareJobCreate(job *batchv1.Job) {
	job.Generation = 1
	job.Status = batchv1.JobStatus{}
	podspec.DropDisabled(&job.Spec.Template.Spec)
	if !ptr.Deref(job.Spec.ManualSelector, false) {
		selectOwnPods(job)
	}
}

// selectOwnPods gives the template labels that no other job has, and selects by one of them. Labels that are there are left, to be
// refused if they are wrong.
func selectOwnPods(job *batchv1.Job) {
	if job.Spec.Template.Labels == nil {
		job.Spec.Template.Labels = map[string]string{}
	}
	labels := job.Spec.Template.Labels
	for key, value := range ownLabels(job) {
		if _, there := labels[key]; !there {
			labels[key] = value
		}
	}
	if len(job.Labels) == 0 && len(utilvalidation.IsValidLabelValue(job.Name)) == 0 { // else the template's are refused alone
		job.Labels = maps.Clone(labels)
	}
	selector := job.Spec.Selector.DeepCopy()
	if selector == nil {
		selector = &metav1.LabelSelector{}
	}
	if selector.MatchLabels == nil {
		selector.MatchLabels = map[string]string{}
	}
	if _, there := selector.MatchLabels[batchv1.ControllerUidLabel]; !there {
		selector.MatchLabels[batchv1.ControllerUidLabel] = string(job.UID)
	}
	job.Spec.Selector = selector
}

func ownLabels(job *batchv1.Job) map[string]string {
	return map[string]string{
		legacyJobName: job.Name, batchv1.JobNameLabel: job.Name,
		legacyControllerUID: string(job.UID), batchv1.ControllerUidLabel: string(job.UID),
	}
}

func prepareJobUpdate(job, old *batchv1.Job) {
	job.Status = *old.Status.DeepCopy()
	podspec.DropDisabled(&job.Spec.Template.Spec)
	meta.CountGeneration(job, old, !equality.Semantic.DeepEqual(job.Spec, old.Spec))
}

func prepareJobStatus(job, old *batchv1.Job) {
	job.Spec = *old.Spec.DeepCopy()
	job.Generation = old.Generation
}

// Beyond these an indexed job may fail in more ways than its status can hold.
const (
	manyCompletions = 100_000
	muchParallelism = 10_000
)

func jobWarnings(obj, old resource.Object) []string {
	job := obj.(*batchv1.Job)
	var list []string
	if old == nil {
		if messages := utilvalidation.IsDNS1123Label(job.Name); len(messages) > 0 {
			list = append(list, fmt.Sprintf("metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: %v", messages))
		}
	} else if job.Generation == old.GetGeneration() {
		return nil
	}
	return append(list, jobSpecWarnings(&job.Spec, field.NewPath("spec"))...)
}

func jobSpecWarnings(spec *batchv1.JobSpec, path *field.Path) []string {
	var list []string
	if Indexed(spec) && ptr.Deref(spec.Completions, 0) > manyCompletions && ptr.Deref(spec.Parallelism, 0) > muchParallelism {
		list = append(list, fmt.Sprintf("%s: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, "+
			"Kubernetes might not be able to track completedIndexes when a big number of indexes fail", path))
	}
	return slices.Concat(list, podspec.TemplateWarnings(&spec.Template, path.Child("template")))
}

// HasCondition says whether a condition of the job is True.
func HasCondition(job *batchv1.Job, of batchv1.JobConditionType) bool {
	return slices.ContainsFunc(job.Status.Conditions, func(c batchv1.JobCondition) bool { return c.Type == of && c.Status == corev1.ConditionTrue })
}

// Finished says whether the job has come to its end, good or bad.
func Finished(job *batchv1.Job) bool {
	return HasCondition(job, batchv1.JobComplete) || HasCondition(job, batchv1.JobFailed)
}
