package batch

import (
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	"proa/kinds/meta"
)

// validateJobStatus holds for other controllers too, which a job may be left to (KEP-4368). A rule that was broken before the
// write breaks no write that leaves the field alone.
func validateJobStatus(job, old *batchv1.Job) field.ErrorList {
	path := field.NewPath("status")
	s := &statusCheck{job: job, old: old, path: path}
	s.errs = meta.NotNegatives(path, meta.CountOf("active", job.Status.Active), meta.CountOf("succeeded", job.Status.Succeeded),
		meta.CountOf("failed", job.Status.Failed), meta.Optional("ready", job.Status.Ready), meta.Optional("terminating", job.Status.Terminating))
	if uncounted := job.Status.UncountedTerminatedPods; uncounted != nil {
		seen := map[types.UID]bool{}
		s.uids(path.Child("uncountedTerminatedPods", "succeeded"), uncounted.Succeeded, seen)
		s.uids(path.Child("uncountedTerminatedPods", "failed"), uncounted.Failed, seen)
	}
	s.conditions()
	s.times()
	s.finished()
	s.indexes()
	s.counters()
	return s.errs
}

type statusCheck struct {
	job, old *batchv1.Job
	path     *field.Path
	errs     field.ErrorList
}

func (s *statusCheck) now(c batchv1.JobConditionType) bool    { return HasCondition(s.job, c) }
func (s *statusCheck) before(c batchv1.JobConditionType) bool { return HasCondition(s.old, c) }

// turned says whether a condition became or ceased to be True.
func (s *statusCheck) turned(c batchv1.JobConditionType) bool { return s.now(c) != s.before(c) }

func (s *statusCheck) invalid(is bool, name string, value any, detail string) {
	if is {
		s.errs = append(s.errs, field.Invalid(s.path.Child(name), value, detail))
	}
}

func (s *statusCheck) clash(is bool, detail string) {
	s.invalid(is, "conditions", field.OmitValueType{}, detail)
}

func (s *statusCheck) uids(path *field.Path, uids []types.UID, seen map[types.UID]bool) {
	for i, uid := range uids {
		switch {
		case uid == "":
			s.errs = append(s.errs, field.Invalid(path.Index(i), uid, "must not be empty"))
		case seen[uid]:
			s.errs = append(s.errs, field.Duplicate(path.Index(i), uid))
		}
		seen[uid] = true
	}
}

func (s *statusCheck) conditions() {
	complete, failed := s.now(batchv1.JobComplete), s.now(batchv1.JobFailed)
	target, met := s.now(batchv1.JobFailureTarget), s.now(batchv1.JobSuccessCriteriaMet)
	ended := s.turned(batchv1.JobComplete)
	s.clash((ended || s.turned(batchv1.JobFailed)) && complete && failed, "cannot set Complete=True and Failed=true conditions")
	s.clash((ended || s.turned(batchv1.JobFailureTarget)) && complete && target, "cannot set Complete=True and FailureTarget=true conditions")
	s.clash((s.turned(batchv1.JobFailed) || s.failedIndexesChanged()) && failed && !target, "cannot set Failed=True condition without the FailureTarget=true condition")
	s.clash((ended || s.turned(batchv1.JobSuccessCriteriaMet)) && complete && !met, "cannot set Complete=True condition without the SuccessCriteriaMet=true condition")
	s.clash(met && failed, "cannot set SuccessCriteriaMet=True and Failed=true conditions")
	s.clash(met && target, "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions")
	s.clash(s.job.Spec.SuccessPolicy != nil && !met && complete, "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True")
	for _, c := range []batchv1.JobConditionType{batchv1.JobFailed, batchv1.JobComplete, batchv1.JobFailureTarget} {
		s.clash(s.before(c) && !s.now(c), fmt.Sprintf("cannot disable the terminal %s=True condition", c))
	}
	s.clash(s.before(batchv1.JobSuccessCriteriaMet) && !met, "cannot disable the SuccessCriteriaMet=True condition")
	s.clash(s.before(batchv1.JobComplete) && !s.before(batchv1.JobSuccessCriteriaMet) && met, "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions")
}

func (s *statusCheck) times() {
	start, end := s.job.Status.StartTime, s.job.Status.CompletionTime
	started := !equality.Semantic.DeepEqual(start, s.old.Status.StartTime)
	completed := !equality.Semantic.DeepEqual(end, s.old.Status.CompletionTime)
	if s.turned(batchv1.JobComplete) || completed {
		s.invalid(end != nil && !s.now(batchv1.JobComplete), "completionTime", end, "cannot set completionTime when there is no Complete=True condition")
		if end == nil && s.now(batchv1.JobComplete) {
			s.errs = append(s.errs, field.Required(s.path.Child("completionTime"), "completionTime is required for Complete jobs"))
		}
	}
	s.invalid((started || completed) && start != nil && end != nil && end.Before(start), "completionTime", end, "must be equal to or after `startTime`")
	s.invalid(completed && end != nil && s.old.Status.CompletionTime != nil, "completionTime", end, "field is immutable")
	resuming := s.before(batchv1.JobSuspended) && isFalse(s.job, batchv1.JobSuspended)
	s.invalid(started && !resuming && s.old.Status.StartTime != nil && !ptr.Deref(s.job.Spec.Suspend, false), "startTime", start, "field is immutable for unsuspended job once set")
}

func isFalse(job *batchv1.Job, of batchv1.JobConditionType) bool {
	for _, c := range job.Status.Conditions {
		if c.Type == of && c.Status == corev1.ConditionFalse {
			return true
		}
	}
	return false
}

// finished wants a job that has ended to have nothing left to do.
func (s *statusCheck) finished() {
	now, before := &s.job.Status, &s.old.Status
	turned := Finished(s.job) != Finished(s.old)
	if !Finished(s.job) {
		s.invalid((!equality.Semantic.DeepEqual(now.Ready, before.Ready) || now.Active != before.Active) && ptr.Deref(now.Ready, 0) > now.Active,
			"ready", ptr.Deref(now.Ready, 0), "cannot set more ready pods than active")
		return
	}
	s.invalid((turned || now.Active != before.Active) && now.Active > 0, "active", now.Active, "active>0 is invalid for finished job")
	empty := ptr.Deref(s.job.Spec.Suspend, false) && s.job.Spec.Completions != nil && *s.job.Spec.Completions == 0
	if (turned || !equality.Semantic.DeepEqual(now.StartTime, before.StartTime)) && !empty && now.StartTime == nil {
		s.errs = append(s.errs, field.Required(s.path.Child("startTime"), "startTime is required for finished job"))
	}
	left := now.UncountedTerminatedPods
	s.invalid((turned || !equality.Semantic.DeepEqual(left, before.UncountedTerminatedPods)) && left != nil && len(left.Failed)+len(left.Succeeded) > 0,
		"uncountedTerminatedPods", left, "must be empty for finished job")
	s.invalid((turned || !equality.Semantic.DeepEqual(now.Terminating, before.Terminating)) && ptr.Deref(now.Terminating, 0) > 0,
		"terminating", now.Terminating, "terminating>0 is invalid for finished job")
}

func (s *statusCheck) failedIndexesChanged() bool {
	return !equality.Semantic.DeepEqual(s.job.Status.FailedIndexes, s.old.Status.FailedIndexes)
}

func (s *statusCheck) indexes() {
	completed, failed := s.job.Status.CompletedIndexes, s.job.Status.FailedIndexes
	changed := completed != s.old.Status.CompletedIndexes
	s.invalid(changed && completed != "" && !Indexed(&s.job.Spec), "completedIndexes", completed, "cannot set non-empty completedIndexes when non-indexed completion mode")
	if s.failedIndexesChanged() && failed != nil && s.job.Spec.BackoffLimitPerIndex == nil {
		s.invalid(true, "failedIndexes", *failed, "cannot set non-null failedIndexes when backoffLimitPerIndex is null")
	}
	if s.job.Spec.Completions == nil {
		return
	}
	n := int(*s.job.Spec.Completions)
	done, err := ParseIndexes(completed, n)
	if err != nil && changed {
		s.invalid(true, "completedIndexes", completed, "error parsing completedIndexes: "+err.Error())
	}
	if failed == nil {
		return
	}
	lost, err := ParseIndexes(*failed, n)
	if err != nil && s.failedIndexesChanged() && s.job.Spec.BackoffLimitPerIndex != nil {
		s.invalid(true, "failedIndexes", *failed, "error parsing failedIndexes: "+err.Error())
	}
	if index, both := overlap(done, lost); both && (changed || s.failedIndexesChanged()) {
		s.invalid(true, "failedIndexes", *failed, fmt.Sprintf("failedIndexes and completedIndexes overlap at index: %d", index))
	}
}

// counters only grow, unless an indexed job was made smaller.
func (s *statusCheck) counters() {
	now, before := &s.job.Status, &s.old.Status
	s.invalid(now.Failed < before.Failed, "failed", now.Failed, "cannot decrease the failed counter")
	elastic := Indexed(&s.job.Spec) && equality.Semantic.DeepEqual(s.job.Spec.Completions, s.job.Spec.Parallelism)
	s.invalid(!elastic && now.Succeeded < before.Succeeded, "succeeded", now.Succeeded, "cannot decrease the succeeded counter")
}
