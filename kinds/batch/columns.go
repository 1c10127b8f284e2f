package batch

import (
	"fmt"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/utils/ptr"

	"proa/kinds/meta"
	"proa/kinds/podspec"
	"proa/kinds/resource"
)

func jobColumns() []resource.Column {
	return []resource.Column{
		meta.Name(),
		meta.Column("Status", "Status of the job."),
		meta.Column("Completions", batchv1.JobStatus{}.SwaggerDoc()["succeeded"]),
		meta.Column("Duration", "Time required to complete the job."),
		meta.Age(), podspec.ContainersColumn(), podspec.ImagesColumn(),
		meta.Wide("Selector", batchv1.JobSpec{}.SwaggerDoc()["selector"]),
	}
}

func jobRow(job *batchv1.Job) []any {
	names, images := podspec.ContainerCells(job.Spec.Template.Spec.Containers)
	return []any{job.Name, jobState(job), completions(job), took(job), meta.Since(job.CreationTimestamp), names, images,
		metav1.FormatLabelSelector(job.Spec.Selector)}
}

// jobState is the first of the conditions that says most.
func jobState(job *batchv1.Job) string {
	for _, c := range []batchv1.JobConditionType{batchv1.JobComplete, batchv1.JobFailed} {
		if HasCondition(job, c) {
			return string(c)
		}
	}
	if job.DeletionTimestamp != nil {
		return "Terminating"
	}
	for _, c := range []batchv1.JobConditionType{batchv1.JobSuspended, batchv1.JobFailureTarget, batchv1.JobSuccessCriteriaMet} {
		if HasCondition(job, c) {
			return string(c)
		}
	}
	return "Running"
}

func completions(job *batchv1.Job) string {
	switch parallelism := ptr.Deref(job.Spec.Parallelism, 0); {
	case job.Spec.Completions != nil:
		return fmt.Sprintf("%d/%d", job.Status.Succeeded, *job.Spec.Completions)
	case parallelism > 1:
		return fmt.Sprintf("%d/1 of %d", job.Status.Succeeded, parallelism)
	}
	return fmt.Sprintf("%d/1", job.Status.Succeeded)
}

// took is how long the job took, or has taken by the time the cell is printed.
func took(job *batchv1.Job) any {
	start, end := job.Status.StartTime, job.Status.CompletionTime
	switch {
	case start == nil:
		return ""
	case end == nil:
		return resource.Timed(func(now time.Time) any { return duration.HumanDuration(now.Sub(start.Time)) })
	}
	return duration.HumanDuration(end.Sub(start.Time))
}

func jobFields(obj resource.Object) fields.Set {
	return fields.Set{"status.successful": strconv.Itoa(int(obj.(*batchv1.Job).Status.Succeeded))}
}

func cronJobColumns() []resource.Column {
	return []resource.Column{
		meta.Name(),
		meta.Column("Schedule", batchv1.CronJobSpec{}.SwaggerDoc()["schedule"]),
		meta.Column("Timezone", batchv1.CronJobSpec{}.SwaggerDoc()["timeZone"]),
		{Name: "Suspend", Type: "boolean", Description: batchv1.CronJobSpec{}.SwaggerDoc()["suspend"]}, // but the cell is a text, as upstream's
		meta.Number("Active", batchv1.CronJobStatus{}.SwaggerDoc()["active"]),
		meta.Column("Last Schedule", batchv1.CronJobStatus{}.SwaggerDoc()["lastScheduleTime"]),
		meta.Age(), podspec.ContainersColumn(), podspec.ImagesColumn(),
		meta.Wide("Selector", batchv1.JobSpec{}.SwaggerDoc()["selector"]),
	}
}

func cronJobRow(c *batchv1.CronJob) []any {
	names, images := podspec.ContainerCells(c.Spec.JobTemplate.Spec.Template.Spec.Containers)
	last := any("<none>")
	if c.Status.LastScheduleTime != nil {
		last = meta.Since(*c.Status.LastScheduleTime)
	}
	suspend := "<unset>"
	if c.Spec.Suspend != nil {
		suspend = map[bool]string{true: "True", false: "False"}[*c.Spec.Suspend]
	}
	return []any{c.Name, c.Spec.Schedule, ptr.Deref(c.Spec.TimeZone, "<none>"), suspend, int64(len(c.Status.Active)), last,
		meta.Since(c.CreationTimestamp), names, images, metav1.FormatLabelSelector(c.Spec.JobTemplate.Spec.Selector)}
}
