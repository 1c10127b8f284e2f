package cronjob

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"proa/kinds/batch"
)

// plan is what a decision leads to.
type plan struct {
	status batchv1.CronJobStatus
	remove []*batchv1.Job
	create *batchv1.Job
	events []event
	after  time.Duration
}

type event struct{ kind, reason, message string }

// work is a decision in the making.
type work struct {
	plan
	cron *batchv1.CronJob
	jobs []*batchv1.Job // the cron job's
	now  time.Time
}

func decide(cron *batchv1.CronJob, jobs []*batchv1.Job, now time.Time) plan {
	w := &work{cron: cron, jobs: jobs, now: now}
	w.status = *cron.Status.DeepCopy()
	w.watch()
	w.forget()
	if cron.DeletionTimestamp == nil && !ptr.Deref(cron.Spec.Suspend, false) {
		w.schedule()
	}
	return w.plan
}

func (w *work) say(kind, reason, format string, args ...any) {
	w.events = append(w.events, event{kind, reason, fmt.Sprintf(format, args...)})
}

// watch brings what the status says of the jobs up to date.
func (w *work) watch() {
	known := map[types.UID]corev1.ObjectReference{} // kept as they are: a job's version changes all the time
	for _, ref := range w.cron.Status.Active {
		known[ref.UID] = ref
	}
	w.status.Active = nil
	there := map[types.UID]bool{}
	slices.SortFunc(w.jobs, func(a, b *batchv1.Job) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	for _, job := range w.jobs {
		there[job.UID] = true
		ref, listed := known[job.UID]
		switch finished := batch.Finished(job); {
		case !finished:
			if !listed {
				w.say(corev1.EventTypeWarning, "UnexpectedJob", "Saw a job that the controller did not create or forgot: %s", job.Name)
				ref = refOf(job)
			}
			w.status.Active = append(w.status.Active, ref)
			continue
		case listed:
			w.say(corev1.EventTypeNormal, "SawCompletedJob", "Saw completed job: %s, condition: %v", job.Name, ending(job))
		}
		if end := job.Status.CompletionTime; end != nil && batch.HasCondition(job, batchv1.JobComplete) &&
			(w.status.LastSuccessfulTime == nil || end.After(w.status.LastSuccessfulTime.Time)) {
			w.status.LastSuccessfulTime = end
		}
	}
	for _, ref := range w.cron.Status.Active {
		if !there[ref.UID] {
			w.say(corev1.EventTypeNormal, "MissingJob", "Active job went missing: %v", ref.Name)
		}
	}
}

func ending(job *batchv1.Job) batchv1.JobConditionType {
	if batch.HasCondition(job, batchv1.JobFailed) {
		return batchv1.JobFailed
	}
	return batchv1.JobComplete
}

// forget deletes the oldest finished jobs beyond the limits.
func (w *work) forget() {
	for _, h := range []struct {
		of    batchv1.JobConditionType
		limit *int32
	}{{batchv1.JobComplete, w.cron.Spec.SuccessfulJobsHistoryLimit}, {batchv1.JobFailed, w.cron.Spec.FailedJobsHistoryLimit}} {
		if h.limit == nil {
			continue
		}
		var ended []*batchv1.Job
		for _, job := range w.jobs {
			if batch.Finished(job) && ending(job) == h.of && job.DeletionTimestamp == nil {
				ended = append(ended, job)
			}
		}
		slices.SortStableFunc(ended, func(a, b *batchv1.Job) int { return started(a).Compare(started(b)) })
		w.remove = append(w.remove, ended[:max(0, len(ended)-int(*h.limit))]...)
	}
}

func started(job *batchv1.Job) time.Time {
	if job.Status.StartTime == nil {
		return job.CreationTimestamp.Time
	}
	return job.Status.StartTime.Time
}

// schedule starts a job if one is due.
func (w *work) schedule() {
	spec := &w.cron.Spec
	schedule, err := batch.ParseSchedule(spec.Schedule, ptr.Deref(spec.TimeZone, ""))
	if err != nil {
		w.say(corev1.EventTypeWarning, "UnparseableSchedule", "unparseable schedule: %q : %s", spec.Schedule, err)
		return
	}
	next := schedule.Next(w.now)
	if next.IsZero() { // it names a day that no year has
		w.say(corev1.EventTypeWarning, "InvalidSchedule", "invalid schedule: %s : time difference between two schedules is less than 1 second", spec.Schedule)
		return
	}
	w.after = next.Sub(w.now)
	due, missed := latest(schedule, w.since(), w.now)
	if due.IsZero() {
		return
	}
	if missed {
		w.say(corev1.EventTypeWarning, "TooManyMissedTimes", "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew")
	}
	if last := w.cron.Status.LastScheduleTime; last != nil && last.Time.Equal(due) || w.exists(nameAt(w.cron, due)) {
		return
	}
	if limit := spec.StartingDeadlineSeconds; limit != nil && due.Add(time.Duration(*limit)*time.Second).Before(w.now) {
		w.say(corev1.EventTypeWarning, "MissSchedule", "Missed scheduled time to start a job: %s", due.UTC().Format(time.RFC1123Z))
		return
	}
	if len(w.status.Active) > 0 {
		switch spec.ConcurrencyPolicy {
		case batchv1.ForbidConcurrent:
			w.say(corev1.EventTypeNormal, "JobAlreadyActive", "Not starting job because prior execution is running and concurrency policy is Forbid")
			return
		case batchv1.ReplaceConcurrent:
			for _, job := range w.jobs {
				if !batch.Finished(job) {
					w.remove = append(w.remove, job)
				}
			}
			w.status.Active = nil
		}
	}
	w.create = w.job(due)
	at := metav1.NewTime(due)
	w.status.LastScheduleTime = &at
}

func (w *work) exists(name string) bool {
	return slices.ContainsFunc(w.jobs, func(job *batchv1.Job) bool { return job.Name == name })
}

// since is from when on what was missed is made up for.
func (w *work) since() time.Time {
	since := w.cron.CreationTimestamp.Time
	if w.cron.Status.LastScheduleTime != nil {
		since = w.cron.Status.LastScheduleTime.Time
	}
	if limit := w.cron.Spec.StartingDeadlineSeconds; limit != nil {
		if earliest := w.now.Add(-time.Duration(*limit) * time.Second); earliest.After(since) {
			since = earliest
		}
	}
	return since
}

// windows are how far back latest looks at a time, so that a schedule of every minute is not walked through for a year.
var windows = []time.Duration{time.Hour, 24 * time.Hour, 31 * 24 * time.Hour, 9 * 366 * 24 * time.Hour}

// tooMany missed times are worth a warning.
const tooMany = 100

// latest is the last time after since, and not after now, at which the schedule was due; zero if there is none.
func latest(schedule batch.Schedule, since, now time.Time) (due time.Time, missed bool) {
	for _, window := range windows {
		from := now.Add(-window)
		if from.Before(since) {
			from = since
		}
		for t := schedule.Next(from); !t.IsZero() && !t.After(now); t = schedule.Next(t) {
			due = t
		}
		if !due.IsZero() || from.Equal(since) {
			break
		}
	}
	if due.IsZero() {
		return due, false
	}
	first := schedule.Next(since)
	pause := schedule.Next(first).Sub(first)
	return due, pause > 0 && due.Sub(first)/pause > tooMany
}

// nameAt names a job after the minute that it was due, so that there is one for each.
func nameAt(cron *batchv1.CronJob, due time.Time) string {
	return fmt.Sprintf("%s-%d", cron.Name, due.Unix()/60)
}

func (w *work) job(due time.Time) *batchv1.Job {
	template := w.cron.Spec.JobTemplate.DeepCopy()
	annotations := maps.Clone(template.Annotations)
	if annotations == nil {
		annotations = map[string]string{}
	}
	if zone, err := time.LoadLocation(ptr.Deref(w.cron.Spec.TimeZone, "")); err == nil {
		due = due.In(zone)
	}
	annotations[batchv1.CronJobScheduledTimestampAnnotation] = due.Format(time.RFC3339)
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: w.cron.Namespace, Name: nameAt(w.cron, due), Labels: template.Labels, Annotations: annotations,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(w.cron, kind)},
		},
		Spec: template.Spec,
	}
}

func refOf(job *batchv1.Job) corev1.ObjectReference {
	return corev1.ObjectReference{Kind: "Job", APIVersion: batchv1.SchemeGroupVersion.String(), Namespace: job.Namespace, Name: job.Name,
		UID: job.UID, ResourceVersion: job.ResourceVersion}
}
