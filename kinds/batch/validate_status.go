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
	s.outcome()
	s.finished()
	s.indexes()
	s.pods()
	s.success()
	s.changes()
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

// outcome wants the conditions and times of an end to go together.
func (s *statusCheck) outcome() {
	complete, failed := s.now(batchv1.JobComplete), s.now(batchv1.JobFailed)
	target, met := s.now(batchv1.JobFailureTarget), s.now(batchv1.JobSuccessCriteriaMet)
	ended := s.turned(batchv1.JobComplete)
	s.clash((ended || s.turned(batchv1.JobFailed)) && complete && failed, "cannot set Complete=True and Failed=true conditions")
	s.clash((ended || s.turned(batchv1.JobFailureTarget)) && complete && target, "cannot set Complete=True and FailureTarget=true conditions")
	start, end := s.job.Status.StartTime, s.job.Status.CompletionTime
	if ended || s.completed() {
		s.invalid(end != nil && !complete, "completionTime", end, "cannot set completionTime when there is no Complete=True condition")
		if end == nil && complete {
			s.errs = append(s.errs, field.Required(s.path.Child("completionTime"), "completionTime is required for Complete jobs"))
		}
	}
	s.invalid((s.started() || s.completed()) && start != nil && end != nil && end.Before(start), "completionTime", end, "must be equal to or after `startTime`")
	s.clash((s.turned(batchv1.JobFailed) || s.failedIndexesChanged()) && failed && !target, "cannot set Failed=True condition without the FailureTarget=true condition")
	s.clash((ended || s.turned(batchv1.JobSuccessCriteriaMet)) && complete && !met, "cannot set Complete=True condition without the SuccessCriteriaMet=true condition")
}

func (s *statusCheck) started() bool {
	return !equality.Semantic.DeepEqual(s.job.Status.StartTime, s.old.Status.StartTime)
}

func (s *statusCheck) completed() bool {
	return !equality.Semantic.DeepEqual(s.job.Status.CompletionTime, s.old.Status.CompletionTime)
}

// success wants the criteria of a success to go with how the job ended.
func (s *statusCheck) success() {
	met := s.now(batchv1.JobSuccessCriteriaMet)
	s.clash(met && s.now(batchv1.JobFailed), "cannot set SuccessCriteriaMet=True and Failed=true conditions")
	s.clash(met && s.now(batchv1.JobFailureTarget), "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions")
	s.clash(s.job.Spec.SuccessPolicy != nil && !met && s.now(batchv1.JobComplete), "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True")
}

// changes: what has ended stays ended. Counters only grow, unless an indexed job was made smaller.
func (s *statusCheck) changes() {
	for _, c := range []batchv1.JobConditionType{batchv1.JobFailed, batchv1.JobComplete, batchv1.JobFailureTarget} {
		s.clash(s.before(c) && !s.now(c), fmt.Sprintf("cannot disable the terminal %s=True condition", c))
	}
	now, before := &s.job.Status, &s.old.Status
	s.invalid(now.Failed < before.Failed, "failed", now.Failed, "cannot decrease the failed counter")
	elastic := Indexed(&s.job.Spec) && equality.Semantic.DeepEqual(s.job.Spec.Completions, s.job.Spec.Parallelism)
	s.invalid(!elastic && now.Succeeded < before.Succeeded, "succeeded", now.Succeeded, "cannot decrease the succeeded counter")
	s.invalid(s.completed() && now.CompletionTime != nil && before.CompletionTime != nil, "completionTime", now.CompletionTime, "field is immutable")
	resuming := s.before(batchv1.JobSuspended) && isFalse(s.job, batchv1.JobSuspended)
	s.invalid(s.started() && !resuming && before.StartTime != nil && !ptr.Deref(s.job.Spec.Suspend, false), "startTime", now.StartTime, "field is immutable for unsuspended job once set")
	met := s.now(batchv1.JobSuccessCriteriaMet)
	s.clash(s.before(batchv1.JobSuccessCriteriaMet) && !met, "cannot disable the SuccessCriteriaMet=True condition")
	s.clash(s.before(batchv1.JobComplete) && !s.before(batchv1.JobSuccessCriteriaMet) && met, "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions")
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
	if !Finished(s.job) {
		return
	}
	now, before, turned := &s.job.Status, &s.old.Status, s.endedNow()
	s.invalid((turned || now.Active != before.Active) && now.Active > 0, "active", now.Active, "active>0 is invalid for finished job")
	empty := ptr.Deref(s.job.Spec.Suspend, false) && s.job.Spec.Completions != nil && *s.job.Spec.Completions == 0
	if (turned || s.started()) && !empty && now.StartTime == nil {
		s.errs = append(s.errs, field.Required(s.path.Child("startTime"), "startTime is required for finished job"))
	}
	left := now.UncountedTerminatedPods
	s.invalid((turned || !equality.Semantic.DeepEqual(left, before.UncountedTerminatedPods)) && left != nil && len(left.Failed)+len(left.Succeeded) > 0,
		"uncountedTerminatedPods", left, "must be empty for finished job")
}

// endedNow says whether the job ended, or is said not to have, with this write.
func (s *statusCheck) endedNow() bool { return Finished(s.job) != Finished(s.old) }

// pods wants the numbers of pods to go together.
func (s *statusCheck) pods() {
	now, before := &s.job.Status, &s.old.Status
	s.invalid(Finished(s.job) && (s.endedNow() || !equality.Semantic.DeepEqual(now.Terminating, before.Terminating)) && ptr.Deref(now.Terminating, 0) > 0,
		"terminating", now.Terminating, "terminating>0 is invalid for finished job")
	if now.Ready != nil && (now.Active != before.Active || !equality.Semantic.DeepEqual(now.Ready, before.Ready)) {
		s.invalid(*now.Ready > now.Active, "ready", *now.Ready, "cannot set more ready pods than active")
	}
}

func (s *statusCheck) failedIndexesChanged() bool {
	return !equality.Semantic.DeepEqual(s.job.Status.FailedIndexes, s.old.Status.FailedIndexes)
}

func (s *statusCheck) indexes() {
	completed, failed, completions := s.job.Status.CompletedIndexes, s.job.Status.FailedIndexes, s.job.Spec.Completions
	changed, failedChanged := completed != s.old.Status.CompletedIndexes, s.failedIndexesChanged()
	perIndex := s.job.Spec.BackoffLimitPerIndex != nil
	var done, lost []Interval
	if completions != nil {
		var err error
		if done, err = ParseIndexes(completed, int(*completions)); err != nil && changed {
			s.invalid(true, "completedIndexes", completed, "error parsing completedIndexes: "+err.Error())
		}
	}
	if completions != nil && failed != nil {
		var err error
		if lost, err = ParseIndexes(*failed, int(*completions)); err != nil && failedChanged && perIndex {
			s.invalid(true, "failedIndexes", *failed, "error parsing failedIndexes: "+err.Error())
		}
	}
	s.invalid(changed && completed != "" && !Indexed(&s.job.Spec), "completedIndexes", completed, "cannot set non-empty completedIndexes when non-indexed completion mode")
	if failed == nil {
		return
	}
	s.invalid(failedChanged && !perIndex, "failedIndexes", *failed, "cannot set non-null failedIndexes when backoffLimitPerIndex is null")
	if index, both := overlap(done, lost); both && (changed || failedChanged) {
		s.invalid(true, "failedIndexes", *failed, fmt.Sprintf("failedIndexes and completedIndexes overlap at index: %d", index))
	}
}
