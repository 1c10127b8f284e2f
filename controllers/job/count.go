package job

import (
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"proa/kinds/batch"
	"proa/reconcile/podstate"
)

// pods are a job's, sorted by what has become of them.
type pods struct {
	active      []*corev1.Pod
	terminating []*corev1.Pod // being deleted, and not ended yet
	succeeded   []*corev1.Pod
	failed      []*corev1.Pod // includes terminating ones where those are to be replaced at once
	byUID       map[types.UID]*corev1.Pod
}

func sort(job *batchv1.Job, all []*corev1.Pod) pods {
	p := pods{byUID: make(map[types.UID]*corev1.Pod, len(all))}
	replaceFailedOnly := ptr.Deref(job.Spec.PodReplacementPolicy, batchv1.TerminatingOrFailed) == batchv1.Failed
	for _, pod := range all {
		p.byUID[pod.UID] = pod
		switch {
		case pod.Status.Phase == corev1.PodSucceeded:
			p.succeeded = append(p.succeeded, pod)
		case pod.Status.Phase == corev1.PodFailed:
			p.failed = append(p.failed, pod)
		case podstate.Active(pod):
			p.active = append(p.active, pod)
		default:
			p.terminating = append(p.terminating, pod)
			if !replaceFailedOnly {
				p.failed = append(p.failed, pod)
			}
		}
	}
	return p
}

// count finds out how many pods have succeeded and failed, and takes the next step with each that is not fully counted.
func (w *work) count() {
	w.countSeen()
	indexed := batch.Indexed(w.spec)
	if indexed {
		w.done = indexesIn(w.status.CompletedIndexes, int(ptr.Deref(w.spec.Completions, 0)))
	}
	uncounted := w.status.UncountedTerminatedPods
	left := mostAtOnce - len(uncounted.Succeeded) - len(uncounted.Failed)
	for _, pod := range w.pods.succeeded {
		switch {
		case !tracked(pod) || left <= 0:
			continue
		case indexed:
			if index, ok := indexOf(pod); ok && index < int(ptr.Deref(w.spec.Completions, 0)) {
				w.done.add(index)
			}
		case !slices.Contains(uncounted.Succeeded, pod.UID):
			uncounted.Succeeded = append(uncounted.Succeeded, pod.UID)
			left--
		}
		w.untrack = append(w.untrack, pod)
	}
	w.loseIndexes()
	for _, pod := range w.pods.failed {
		if !tracked(pod) || left <= 0 || w.awaitsReplacement(pod) {
			continue
		}
		if w.action(pod) != batchv1.PodFailurePolicyActionIgnore && !slices.Contains(uncounted.Failed, pod.UID) {
			uncounted.Failed = append(uncounted.Failed, pod.UID)
			left--
		}
		w.untrack = append(w.untrack, pod)
	}
	if indexed {
		w.status.CompletedIndexes = w.done.String()
		w.status.Succeeded = int32(len(w.done))
	}
	w.succeeded = int(w.status.Succeeded) + len(uncounted.Succeeded)
	w.failed = int(w.status.Failed) + len(uncounted.Failed)
}

// countSeen counts those that were written down before, and whose finalizer is gone.
func (w *work) countSeen() {
	before := w.status.UncountedTerminatedPods
	if before == nil {
		before = &batchv1.UncountedTerminatedPods{}
	}
	w.status.UncountedTerminatedPods = &batchv1.UncountedTerminatedPods{}
	for _, c := range []struct {
		from  []types.UID
		to    *[]types.UID
		count *int32
	}{
		{before.Succeeded, &w.status.UncountedTerminatedPods.Succeeded, &w.status.Succeeded},
		{before.Failed, &w.status.UncountedTerminatedPods.Failed, &w.status.Failed},
	} {
		for _, uid := range c.from {
			if pod := w.pods.byUID[uid]; pod != nil && tracked(pod) {
				*c.to = append(*c.to, uid)
			} else {
				*c.count++
			}
		}
	}
}

// counted says that nothing is left to count.
func (w *work) counted() bool {
	u := w.status.UncountedTerminatedPods
	return len(u.Succeeded)+len(u.Failed) == 0 && len(w.untrack) == 0
}
