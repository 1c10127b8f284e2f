package loop

import (
	"container/heap"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"proa/scheduler/filter"
	"proa/scheduler/state"
)

// Pauses between attempts for a pod that was rejected or could not be bound, doubled each time. The first is short: a
// pod that came a moment before its node does not wait long.
const (
	firstPause = 50 * time.Millisecond
	maxPause   = 10 * time.Second
)

// queue holds the pods that wait for a node. It is pure: the caller says what time it is.
//
//	         push / wake                     pop
//	(new) ------------> ready  -----------------------> (being decided)
//	                      ^                                  | reject
//	                      | its pause is over                v
//	                   pausing <---- wake by a change --- waiting
//
// Ready pods come out by priority, then by age.
type queue struct {
	pods  map[types.UID]*entry
	ready readyHeap
}

type entry struct {
	pod      *state.Pod
	attempts int
	index    int           // in ready, -1 otherwise
	waits    filter.Change // while waiting: what may help
	due      time.Time     // while pausing: when it becomes ready; zero otherwise
	message  string        // why it was rejected last
}

func newQueue() *queue { return &queue{pods: map[types.UID]*entry{}} }

// push makes a pod ready, or takes its new version. A pod that was rejected becomes ready at once: its change may help.
func (q *queue) push(p *state.Pod) {
	e := q.pods[p.Pod.UID]
	if e == nil {
		e = &entry{index: -1}
		q.pods[p.Pod.UID] = e
	}
	e.pod = p
	q.makeReady(e)
}

func (q *queue) makeReady(e *entry) {
	e.waits, e.due = 0, time.Time{}
	if e.index >= 0 {
		heap.Fix(&q.ready, e.index)
		return
	}
	heap.Push(&q.ready, e)
}

// remove forgets a pod.
func (q *queue) remove(uid types.UID) {
	if e := q.pods[uid]; e != nil {
		delete(q.pods, uid)
		if e.index >= 0 {
			heap.Remove(&q.ready, e.index)
		}
	}
}

// pop takes the next ready pod, nil if there is none. It must be answered by reject or remove.
func (q *queue) pop() *entry {
	if len(q.ready) == 0 {
		return nil
	}
	return heap.Pop(&q.ready).(*entry)
}

// reject puts a popped pod back, to wait for one of the changes.
func (q *queue) reject(e *entry, waits filter.Change, now time.Time) {
	if q.pods[e.pod.Pod.UID] != e {
		return // it was removed meanwhile
	}
	e.waits = waits
	e.due = now.Add(pause(e.attempts))
	e.attempts++
}

// wake lets the pods that wait for one of the changes go on, once their pause is over.
func (q *queue) wake(change filter.Change, now time.Time) {
	for _, e := range q.pods {
		if e.waits&change == 0 {
			continue
		}
		if e.waits = 0; !now.Before(e.due) {
			q.makeReady(e)
		}
	}
}

// advance makes the pods ready whose pause is over, and says when the next one is; zero if none pauses.
func (q *queue) advance(now time.Time) (next time.Time) {
	for _, e := range q.pods {
		if e.waits != 0 || e.due.IsZero() {
			continue
		}
		if !now.Before(e.due) {
			q.makeReady(e)
		} else if next.IsZero() || e.due.Before(next) {
			next = e.due
		}
	}
	return next
}

func pause(attempts int) time.Duration {
	return min(firstPause<<min(attempts, 10), maxPause)
}

// readyHeap orders by priority, then by age, then by name.
type readyHeap []*entry

func (h readyHeap) Len() int { return len(h) }

func (h readyHeap) Less(i, j int) bool {
	a, b := h[i].pod.Pod, h[j].pod.Pod
	if pa, pb := priority(a.Spec.Priority), priority(b.Spec.Priority); pa != pb {
		return pa > pb
	}
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return a.Name < b.Name
}

func (h readyHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *readyHeap) Push(x any) {
	e := x.(*entry)
	e.index = len(*h)
	*h = append(*h, e)
}

func (h *readyHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	e.index = -1
	return e
}

func priority(p *int32) int32 {
	if p == nil {
		return 0
	}
	return *p
}
