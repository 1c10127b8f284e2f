package job

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"proa/kinds/batch"
	"proa/reconcile/podcontrol"
	"proa/reconcile/podstate"
)

// end removes what still runs, and says that the job is over when that is gone and everything is counted.
func (w *work) end() {
	w.setCondition(*w.verdict)
	w.drop(w.pods.active)
	if len(w.pods.active) > 0 || len(w.pods.terminating) > 0 || !w.counted() {
		return
	}
	last := w.condition(batchv1.JobComplete, w.verdict.Reason, w.verdict.Message)
	if w.verdict.Type == batchv1.JobSuccessCriteriaMet {
		w.status.CompletionTime = w.time()
		w.say(corev1.EventTypeNormal, "Completed", "Job completed")
	} else {
		last.Type = batchv1.JobFailed
		w.say(corev1.EventTypeWarning, last.Reason, last.Message)
	}
	w.setCondition(*last)
}

// drop deletes pods; from now on they terminate.
func (w *work) drop(pods []*corev1.Pod) {
	w.remove = append(w.remove, pods[:min(len(pods), mostAtOnce)]...)
	gone := func(pod *corev1.Pod) bool { return slices.Contains(w.remove, pod) }
	w.pods.terminating = append(w.pods.terminating, w.remove...)
	w.pods.active = slices.DeleteFunc(slices.Clone(w.pods.active), gone)
}

// manage has as many pods run as should.
func (w *work) manage() {
	if w.suspended() {
		w.drop(w.pods.active)
		return
	}
	want := w.wanted()
	if surplus := w.surplus(len(w.pods.active) - want); len(surplus) > 0 {
		w.drop(surplus)
		return
	}
	missing := want - len(w.pods.active)
	if ptr.Deref(w.spec.PodReplacementPolicy, batchv1.TerminatingOrFailed) == batchv1.Failed {
		missing -= len(w.pods.terminating)
	}
	if missing <= 0 {
		return
	}
	if !w.limitPerIndex() {
		if rest := w.pause(); rest > 0 {
			w.again(rest)
			return
		}
	}
	missing = min(missing, mostAtOnce)
	if !batch.Indexed(w.spec) {
		for range missing {
			w.create = append(w.create, w.pod())
		}
		return
	}
	for _, index := range w.pendingIndexes(missing) {
		w.create = append(w.create, w.indexedPod(index))
	}
}

// wanted is how many pods should be active.
func (w *work) wanted() int {
	parallelism := int(ptr.Deref(w.spec.Parallelism, 1))
	if w.spec.Completions == nil {
		if w.succeeded > 0 { // one was enough, and the others may come to their end
			return min(parallelism, len(w.pods.active))
		}
		return parallelism
	}
	return max(0, min(parallelism, int(*w.spec.Completions)-w.succeeded-len(w.lost)))
}

// surplus are at least n active pods to delete: of those that work on what needs no work, all; of the others, those that have come
// least far.
func (w *work) surplus(n int) []*corev1.Pod {
	pods := slices.Clone(w.pods.active)
	slices.SortStableFunc(pods, func(a, b *corev1.Pod) int {
		return cmp.Or(rank(a)-rank(b), -a.CreationTimestamp.Compare(b.CreationTimestamp.Time))
	})
	var needless []*corev1.Pod
	if batch.Indexed(w.spec) {
		seen := indexes{}
		for _, pod := range slices.Backward(pods) { // of two for one index, the one that has come further stays
			index, ok := indexOf(pod)
			if !ok || index >= int(ptr.Deref(w.spec.Completions, 0)) || seen[index] || w.done[index] || w.lost[index] {
				needless = append(needless, pod)
				continue
			}
			seen.add(index)
		}
	}
	for _, pod := range pods {
		if len(needless) >= n {
			break
		}
		if !slices.Contains(needless, pod) {
			needless = append(needless, pod)
		}
	}
	return needless
}

// rank orders active pods by how far they have come.
func rank(pod *corev1.Pod) int {
	switch {
	case pod.Spec.NodeName == "":
		return 0
	case pod.Status.Phase != corev1.PodRunning:
		return 1
	case !podstate.Ready(pod):
		return 2
	}
	return 3
}

func (w *work) pod() *corev1.Pod {
	pod := podcontrol.New(w.job, kind, &w.spec.Template)
	pod.Finalizers = append(pod.Finalizers, batchv1.JobTrackingFinalizer)
	return pod
}

// indexedPod is told its index by label, annotation, host name and environment.
func (w *work) indexedPod(index int) *corev1.Pod {
	pod, text := w.pod(), strconv.Itoa(index)
	metav1.SetMetaDataAnnotation(&pod.ObjectMeta, batchv1.JobCompletionIndexAnnotation, text)
	metav1.SetMetaDataLabel(&pod.ObjectMeta, batchv1.JobCompletionIndexAnnotation, text)
	if w.limitPerIndex() {
		failures := 0
		if last := w.lastFailed(index); last != nil {
			failures = w.failures(last)
		}
		metav1.SetMetaDataAnnotation(&pod.ObjectMeta, batchv1.JobIndexFailureCountAnnotation, strconv.Itoa(failures))
	}
	pod.GenerateName = fmt.Sprintf("%s-%d-", w.job.Name, index)
	pod.Spec.Hostname = fmt.Sprintf("%s-%d", w.job.Name, index)
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			addIndex(&containers[i])
		}
	}
	return pod
}

const indexVariable = "JOB_COMPLETION_INDEX"

func addIndex(c *corev1.Container) {
	if slices.ContainsFunc(c.Env, func(v corev1.EnvVar) bool { return v.Name == indexVariable }) {
		return
	}
	c.Env = append(c.Env, corev1.EnvVar{Name: indexVariable, ValueFrom: &corev1.EnvVarSource{
		FieldRef: &corev1.ObjectFieldSelector{FieldPath: fmt.Sprintf("metadata.labels['%s']", batchv1.JobCompletionIndexAnnotation)},
	}})
}

// suspend tells when a job rests, and when it is resumed, which starts its time anew.
func (w *work) suspend() {
	rested := batch.HasCondition(w.job, batchv1.JobSuspended)
	switch {
	case w.suspended() && !rested:
		w.setCondition(*w.condition(batchv1.JobSuspended, "JobSuspended", "Job suspended"))
		w.say(corev1.EventTypeNormal, "Suspended", "Job suspended")
	case !w.suspended() && rested:
		c := w.condition(batchv1.JobSuspended, "JobResumed", "Job resumed")
		c.Status = corev1.ConditionFalse
		w.setCondition(*c)
		w.status.StartTime = w.time()
		w.say(corev1.EventTypeNormal, "Resumed", "Job resumed")
	}
}

// setCondition adds the condition, or replaces the one of its type if that says something else.
func (w *work) setCondition(c batchv1.JobCondition) {
	for i, old := range w.status.Conditions {
		if old.Type == c.Type {
			if old.Status != c.Status || old.Reason != c.Reason || old.Message != c.Message {
				w.status.Conditions[i] = c
			}
			return
		}
	}
	w.status.Conditions = append(w.status.Conditions, c)
}
