package batch

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	"proa/kinds/meta"
	"proa/kinds/podspec"
	"proa/kinds/resource"
)

// CronJob is the row of cronjobs.
func CronJob() *resource.Resource {
	return &resource.Resource{
		Group: "batch", Version: "v1", Name: "cronjobs", Singular: "cronjob", Kind: "CronJob",
		ShortNames: []string{"cj"}, Categories: []string{"all"}, Namespaced: true,
		New:     func() resource.Object { return &batchv1.CronJob{} },
		NewList: func() runtime.Object { return &batchv1.CronJobList{} },

		Default:        resource.Do(defaultCronJob),
		PrepareCreate:  resource.Do(prepareCronJobCreate),
		PrepareUpdate:  resource.Do2(prepareCronJobUpdate),
		Validate:       resource.Typed(validateCronJob),
		ChecksNameOnce: true,
		ValidateUpdate: resource.Typed2(validateCronJobUpdate),
		Warnings:       cronJobWarnings,

		AllowUnconditionalUpdate: true,
		Status: &resource.Subresource{
			Name: "status", Verbs: []string{"get", "patch", "update"},
			PrepareUpdate: resource.Do2(func(c, old *batchv1.CronJob) { c.Spec, c.Generation = *old.Spec.DeepCopy(), old.Generation }),
		},
		Columns: cronJobColumns(),
		Row:     resource.Typed(cronJobRow),
	}
}

func defaultCronJob(c *batchv1.CronJob) {
	if c.Spec.ConcurrencyPolicy == "" {
		c.Spec.ConcurrencyPolicy = batchv1.AllowConcurrent
	}
	defaultTo(&c.Spec.Suspend, false)
	defaultTo(&c.Spec.SuccessfulJobsHistoryLimit, 3)
	defaultTo(&c.Spec.FailedJobsHistoryLimit, 1)
	defaultJobSpec(&c.Spec.JobTemplate.Spec)
	podspec.DefaultTemplate(&c.Spec.JobTemplate.Spec.Template)
}

func prepareCronJobCreate(c *batchv1.CronJob) {
	c.Generation = 1
	c.Status = batchv1.CronJobStatus{}
	podspec.DropDisabled(&c.Spec.JobTemplate.Spec.Template.Spec)
}

func prepareCronJobUpdate(c, old *batchv1.CronJob) {
	c.Status = *old.Status.DeepCopy()
	podspec.DropDisabled(&c.Spec.JobTemplate.Spec.Template.Spec)
	meta.CountGeneration(c, old, !equality.Semantic.DeepEqual(c.Spec, old.Spec))
}

// mostCronJobName leaves room for the 11 letters that a job's name has more.
const mostCronJobName = 52

func validateCronJob(c *batchv1.CronJob) field.ErrorList {
	errs := validateCronJobSpec(&c.Spec, nil)
	if len(c.Name) > mostCronJobName {
		errs = append(errs, field.Invalid(field.NewPath("metadata", "name"), c.Name, fmt.Sprintf("must be no more than %d characters", mostCronJobName)))
	}
	return errs
}

func validateCronJobUpdate(c, old *batchv1.CronJob) field.ErrorList {
	return validateCronJobSpec(&c.Spec, &old.Spec)
}

func validateCronJobSpec(spec, old *batchv1.CronJobSpec) field.ErrorList {
	path := field.NewPath("spec")
	errs := validateSchedule(spec, old, path.Child("schedule"))
	if spec.StartingDeadlineSeconds != nil {
		errs = append(errs, meta.NotNegative(path.Child("startingDeadlineSeconds"), *spec.StartingDeadlineSeconds)...)
	}
	if old == nil || !equality.Semantic.DeepEqual(old.TimeZone, spec.TimeZone) {
		errs = append(errs, validateTimeZone(spec.TimeZone, path.Child("timeZone"))...)
	}
	switch policies := []batchv1.ConcurrencyPolicy{batchv1.AllowConcurrent, batchv1.ForbidConcurrent, batchv1.ReplaceConcurrent}; spec.ConcurrencyPolicy {
	case policies[0], policies[1], policies[2]:
	case "":
		errs = append(errs, field.Required(path.Child("concurrencyPolicy"), ""))
	default:
		errs = append(errs, field.NotSupported(path.Child("concurrencyPolicy"), spec.ConcurrencyPolicy, policies))
	}
	job, at := &spec.JobTemplate.Spec, path.Child("jobTemplate", "spec")
	errs = append(errs, validateJobSpec(job, at)...)
	if job.Selector != nil {
		errs = append(errs, field.Invalid(at.Child("selector"), job.Selector, "`selector` will be auto-generated"))
	}
	if ptr.Deref(job.ManualSelector, false) {
		errs = append(errs, field.NotSupported(at.Child("manualSelector"), job.ManualSelector, []string{"nil", "false"}))
	}
	return append(errs, meta.NotNegatives(path, meta.Optional("successfulJobsHistoryLimit", spec.SuccessfulJobsHistoryLimit),
		meta.Optional("failedJobsHistoryLimit", spec.FailedJobsHistoryLimit))...)
}

func validateSchedule(spec, old *batchv1.CronJobSpec, path *field.Path) field.ErrorList {
	if spec.Schedule == "" {
		return field.ErrorList{field.Required(path, "")}
	}
	var errs field.ErrorList
	if _, err := ParseSchedule(spec.Schedule, ""); err != nil {
		errs = append(errs, field.Invalid(path, spec.Schedule, err.Error()))
	}
	had := old != nil && strings.Contains(old.Schedule, "TZ")
	switch {
	case !strings.Contains(spec.Schedule, "TZ"):
	case had && spec.TimeZone != nil:
		errs = append(errs, field.Invalid(path, spec.Schedule, "cannot use both timeZone field and TZ or CRON_TZ in schedule"))
	case !had:
		errs = append(errs, field.Invalid(path, spec.Schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"))
	}
	return errs
}

// zonePart is a part of a time zone's name (https://data.iana.org/time-zones/theory.html#naming, with the digits and + of old names).
var zonePart = regexp.MustCompile(`^[A-Za-z\.\-_0-9+]{1,14}$`)

func validateTimeZone(zone *string, path *field.Path) field.ErrorList {
	switch {
	case zone == nil:
		return nil
	case *zone == "":
		return field.ErrorList{field.Invalid(path, zone, "timeZone must be nil or non-empty string")}
	}
	for _, part := range strings.Split(*zone, "/") {
		if part == "." || part == ".." || strings.HasPrefix(part, "-") || !zonePart.MatchString(part) {
			return field.ErrorList{field.Invalid(path, zone, "unknown time zone "+*zone)}
		}
	}
	var errs field.ErrorList
	if strings.EqualFold(*zone, "Local") {
		errs = append(errs, field.Invalid(path, zone, "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"))
	}
	if _, err := time.LoadLocation(*zone); err != nil {
		errs = append(errs, field.Invalid(path, zone, err.Error()))
	}
	return errs
}

func cronJobWarnings(obj, old resource.Object) []string {
	c := obj.(*batchv1.CronJob)
	var list []string
	if old == nil {
		if messages := utilvalidation.IsDNS1123Label(c.Name); len(messages) > 0 {
			list = append(list, fmt.Sprintf("metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: %v", messages))
		}
	}
	if old == nil || c.Generation != old.GetGeneration() {
		list = append(list, jobSpecWarnings(&c.Spec.JobTemplate.Spec, field.NewPath("spec", "jobTemplate", "spec"))...)
	}
	if old != nil && strings.Contains(c.Spec.Schedule, "TZ") { // a new one is refused
		list = append(list, "cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details")
	}
	return list
}
