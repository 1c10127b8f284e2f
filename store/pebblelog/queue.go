package pebblelog

import (
	"runtime"
	"sync"
	"time"

	"proa/store"
)

// request is a commit that waits for the committer.
type request struct {
	ops    []store.Op
	answer chan answer // holds one, so the committer never waits for a caller that left
}

type answer struct {
	revision store.Revision
	err      error
}

// queue gathers requests while the committer is at the disk.
type queue struct {
	wake chan struct{} // holds one token while there may be something to take

	mu struct {
		sync.Mutex
		waiting []*request
		closed  bool
	}
}

// add appends a request, unless the queue is closed.
func (q *queue) add(r *request) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.closed {
		return false
	}
	q.mu.waiting = append(q.mu.waiting, r)
	q.signal()
	return true
}

// close refuses further requests; those that wait can still be taken.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.mu.closed = true
	q.signal()
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take waits for requests and returns all there are; nil when the queue is closed and empty. While it waits it calls rest
// whenever quiet fires.
func (q *queue) take(quiet <-chan time.Time, rest func()) []*request {
	for {
		select {
		case <-quiet:
			rest()
			continue
		case <-q.wake:
		}
		// Who is about to add may do so first: on a disk that is quick the groups would be small, and what is done for each of
		// them was a fifth of what a create costs. With nobody else to run it costs nothing.
		runtime.Gosched()
		q.mu.Lock()
		taken, closed := q.mu.waiting, q.mu.closed
		q.mu.waiting = nil
		q.mu.Unlock()
		if len(taken) > 0 {
			if closed {
				q.signal()
			}
			return taken
		}
		if closed {
			return nil
		}
	}
}
