package job

import (
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"proa/kinds/batch"
	"proa/reconcile/podstate"
)

// mostAtOnce bounds how many pods one look creates or deletes.
const mostAtOnce = 500

// plan is what a decision leads to, in the order in which it is carried out.
type plan struct {
	status  batchv1.JobStatus // written first if it differs: what is counted must be known before a finalizer goes
	untrack []*corev1.Pod     // then these lose their finalizer
	remove  []*corev1.Pod
	create  []*corev1.Pod
	events  []event
	after   time.Duration // look again; 0 means no need
}

type event struct{ kind, reason, message string }

// work is a decision in the making.
type work struct {
	plan
	job  *batchv1.Job
	spec *batchv1.JobSpec
	now  time.Time
	pods pods

	succeeded int     // counted or about to be
	failed    int     // likewise
	done      indexes // completed, of an indexed job
	lost      indexes // failed for good, where each index has a limit

	verdict *batchv1.JobCondition // why the job ends; nil if it goes on
}

// decide says what to do for a job that has not finished.
func decide(job *batchv1.Job, all []*corev1.Pod, now time.Time) plan {
	w := &work{job: job, spec: &job.Spec, now: now, pods: sort(job, all)}
	w.status = *job.Status.DeepCopy()
	w.start()
	w.count()
	w.judge()
	switch {
	case job.DeletionTimestamp != nil: // the garbage collector takes the pods
	case w.verdict != nil:
		w.end()
	default:
		w.manage()
		w.suspend()
	}
	w.status.Active = int32(len(w.pods.active))
	ready, terminating := int32(0), int32(len(w.pods.terminating))
	for _, pod := range w.pods.active {
		if podstate.Ready(pod) {
			ready++
		}
	}
	w.status.Ready, w.status.Terminating = &ready, &terminating
	return w.plan
}

func (w *work) suspended() bool { return ptr.Deref(w.spec.Suspend, false) }

// start notes when the job was first worked on.
func (w *work) start() {
	if w.status.StartTime == nil && !w.suspended() {
		w.status.StartTime = w.time()
	}
}

func (w *work) time() *metav1.Time {
	t := metav1.NewTime(w.now).Rfc3339Copy()
	return &t
}

func (w *work) say(kind, reason, message string) {
	w.events = append(w.events, event{kind, reason, message})
}

// again asks for another look after a while, the earliest of all that ask.
func (w *work) again(after time.Duration) {
	if after > 0 && (w.after == 0 || after < w.after) {
		w.after = after
	}
}

// judge finds out whether the job is over.
func (w *work) judge() {
	if w.verdict != nil {
		return
	}
	for _, c := range w.job.Status.Conditions { // decided before, and not yet carried out
		if c.Status == corev1.ConditionTrue && (c.Type == batchv1.JobSuccessCriteriaMet || c.Type == batchv1.JobFailureTarget) {
			w.verdict = &c
			return
		}
	}
	if message := w.failedByPolicy(); message != "" {
		w.fail(batchv1.JobReasonPodFailurePolicy, message)
		return
	}
	if w.failed > int(ptr.Deref(w.spec.BackoffLimit, 6)) || w.restartedTooOften() {
		w.fail(batchv1.JobReasonBackoffLimitExceeded, "Job has reached the specified backoff limit")
		return
	}
	if left, limited := w.timeLeft(); limited && left <= 0 {
		w.fail(batchv1.JobReasonDeadlineExceeded, "Job was active longer than specified deadline")
		return
	} else if limited {
		w.again(left)
	}
	w.judgeIndexes()
	if w.verdict == nil && w.complete() {
		w.succeed(batchv1.JobReasonCompletionsReached, "Reached expected number of succeeded pods")
	}
}

// judgeIndexes does so for indexed jobs, which may be done early, or be lost in part.
func (w *work) judgeIndexes() {
	if !batch.Indexed(w.spec) {
		return
	}
	if limit := w.spec.MaxFailedIndexes; limit != nil && len(w.lost) > int(*limit) {
		w.fail(batchv1.JobReasonMaxFailedIndexesExceeded, "Job has exceeded the specified maximal number of failed indexes")
		return
	}
	if rule, met := w.successRule(); met {
		w.succeed(batchv1.JobReasonSuccessPolicy, fmt.Sprintf("Matched rules at index %d", rule))
		return
	}
	if len(w.lost) > 0 && len(w.lost)+len(w.done) >= int(ptr.Deref(w.spec.Completions, 0)) {
		w.fail(batchv1.JobReasonFailedIndexes, "Job has failed indexes")
	}
}

// complete: a job without a number of completions is done when one of its pods was and the others have ended.
func (w *work) complete() bool {
	if w.spec.Completions == nil {
		return w.succeeded > 0 && len(w.pods.active) == 0
	}
	return w.succeeded >= int(*w.spec.Completions) && len(w.pods.active) == 0
}

func (w *work) succeed(reason, message string) {
	w.verdict = w.condition(batchv1.JobSuccessCriteriaMet, reason, message)
}

func (w *work) fail(reason, message string) {
	w.verdict = w.condition(batchv1.JobFailureTarget, reason, message)
}

func (w *work) condition(of batchv1.JobConditionType, reason, message string) *batchv1.JobCondition {
	return &batchv1.JobCondition{Type: of, Status: corev1.ConditionTrue, Reason: reason, Message: message, LastProbeTime: *w.time(), LastTransitionTime: *w.time()}
}

// timeLeft is how long the job may still take, if that is limited.
func (w *work) timeLeft() (left time.Duration, limited bool) {
	if w.spec.ActiveDeadlineSeconds == nil || w.status.StartTime == nil || w.suspended() {
		return 0, false
	}
	return w.status.StartTime.Add(time.Duration(*w.spec.ActiveDeadlineSeconds) * time.Second).Sub(w.now), true
}

// restartedTooOften counts what the node starts again, where a pod is to be restarted in place.
func (w *work) restartedTooOften() bool {
	if w.spec.Template.Spec.RestartPolicy != corev1.RestartPolicyOnFailure {
		return false
	}
	restarts := 0
	for _, pod := range w.pods.active {
		if pod.Status.Phase != corev1.PodRunning && pod.Status.Phase != corev1.PodPending {
			continue
		}
		for _, statuses := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
			for _, s := range statuses {
				restarts += int(s.RestartCount)
			}
		}
	}
	limit := int(ptr.Deref(w.spec.BackoffLimit, 6))
	return limit == 0 && restarts > 0 || limit > 0 && restarts >= limit
}
