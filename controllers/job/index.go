package job

import (
	"maps"
	"slices"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"proa/kinds/batch"
)

// indexes is a set of completions.
type indexes map[int]bool

// indexesIn reads a set as the status has it. What lies beyond completions, since the job was made smaller, is left out.
func indexesIn(text string, completions int) indexes {
	set := indexes{}
	const any = 1 << 31
	all, err := batch.ParseIndexes(text, any)
	if err != nil {
		return set // nobody but this controller writes it
	}
	for _, i := range all {
		for n := i.First; n <= i.Last && n < completions; n++ {
			set[n] = true
		}
	}
	return set
}

func (s indexes) add(n int) { s[n] = true }

func (s indexes) String() string {
	var runs []batch.Interval
	for _, n := range slices.Sorted(maps.Keys(s)) {
		if last := len(runs) - 1; last >= 0 && runs[last].Last+1 == n {
			runs[last].Last = n
		} else {
			runs = append(runs, batch.Interval{First: n, Last: n})
		}
	}
	return batch.FormatIndexes(runs)
}

// indexOf is the completion that a pod works on.
func indexOf(pod *corev1.Pod) (int, bool) {
	index, err := strconv.Atoi(pod.Annotations[batchv1.JobCompletionIndexAnnotation])
	return index, err == nil && index >= 0
}

// failuresBefore is how often the index of a pod had failed when the pod was made.
func failuresBefore(pod *corev1.Pod) int {
	n, _ := strconv.Atoi(pod.Annotations[batchv1.JobIndexFailureCountAnnotation])
	return n
}

// failures is how often the index of a failed pod has failed with it.
func (w *work) failures(pod *corev1.Pod) int {
	if w.action(pod) == batchv1.PodFailurePolicyActionIgnore {
		return failuresBefore(pod)
	}
	return failuresBefore(pod) + 1
}

func (w *work) limitPerIndex() bool { return w.spec.BackoffLimitPerIndex != nil }

// loseIndexes finds the indexes that have failed too often.
func (w *work) loseIndexes() {
	if !w.limitPerIndex() {
		return
	}
	w.lost = indexesIn(ptr.Deref(w.status.FailedIndexes, ""), int(ptr.Deref(w.spec.Completions, 0)))
	for _, pod := range w.pods.failed {
		index, ok := indexOf(pod)
		if !ok || w.done[index] || !tracked(pod) {
			continue
		}
		if w.action(pod) == batchv1.PodFailurePolicyActionFailIndex || w.failures(pod) > int(*w.spec.BackoffLimitPerIndex) {
			w.lost.add(index)
		}
	}
	text := w.lost.String()
	w.status.FailedIndexes = &text
}

// awaitsReplacement: the last failed pod of an index knows how often that has failed, so it stays until the next one,
// which knows it too, is there.
func (w *work) awaitsReplacement(pod *corev1.Pod) bool {
	index, ok := indexOf(pod)
	if !ok || !w.limitPerIndex() || w.done[index] || w.lost[index] || w.verdictKnown() || w.lastFailed(index) != pod {
		return false
	}
	return !slices.ContainsFunc(w.pods.active, func(p *corev1.Pod) bool {
		other, ok := indexOf(p)
		return ok && other == index
	})
}

func (w *work) verdictKnown() bool {
	return batch.HasCondition(w.job, batchv1.JobSuccessCriteriaMet) || batch.HasCondition(w.job, batchv1.JobFailureTarget)
}

// lastFailed is the failed pod of an index that was made last, if it is not counted yet.
func (w *work) lastFailed(index int) (last *corev1.Pod) {
	for _, pod := range w.pods.failed {
		if i, ok := indexOf(pod); !ok || i != index || !tracked(pod) {
			continue
		}
		if last == nil || failuresBefore(pod) > failuresBefore(last) || failuresBefore(pod) == failuresBefore(last) && last.CreationTimestamp.Before(&pod.CreationTimestamp) {
			last = pod
		}
	}
	return last
}

// successRule is the number of the first rule of the success policy that is met.
func (w *work) successRule() (number int, met bool) {
	if w.spec.SuccessPolicy == nil {
		return 0, false
	}
	for i, rule := range w.spec.SuccessPolicy.Rules {
		named := len(w.done)
		want := named + 1
		if rule.SucceededIndexes != nil {
			set := indexesIn(*rule.SucceededIndexes, int(ptr.Deref(w.spec.Completions, 0)))
			want, named = len(set), 0
			for n := range set {
				if w.done[n] {
					named++
				}
			}
		}
		if named >= int(ptr.Deref(rule.SucceededCount, int32(want))) {
			return i, true
		}
	}
	return 0, false
}

// pendingIndexes are up to n indexes that need a pod, the lowest first, but not those that wait after a failure.
func (w *work) pendingIndexes(n int) []int {
	busy := indexes{}
	mark := func(all []*corev1.Pod) {
		for _, pod := range all {
			if index, ok := indexOf(pod); ok {
				busy.add(index)
			}
		}
	}
	mark(w.pods.active)
	if ptr.Deref(w.spec.PodReplacementPolicy, batchv1.TerminatingOrFailed) == batchv1.Failed {
		mark(w.pods.terminating)
	}
	var pending []int
	for index := 0; index < int(ptr.Deref(w.spec.Completions, 0)) && len(pending) < n; index++ {
		if busy[index] || w.done[index] || w.lost[index] || w.waits(index) {
			continue
		}
		pending = append(pending, index)
	}
	return pending
}

// waits says whether an index with a limit of its own has failed just now.
func (w *work) waits(index int) bool {
	if !w.limitPerIndex() {
		return false
	}
	last := w.lastFailed(index)
	if last == nil {
		return false
	}
	rest := backoff(w.failures(last)) - w.now.Sub(endOf(last))
	w.again(max(0, rest))
	return rest > time.Duration(0)
}
