package fair

import (
	"sync"
	"sync/atomic"
)

// watched is what a watch is about.
type watched struct{ group, resource, namespace, name string }

// watches counts those that are open, so that a write can be charged for the events that follow it.
type watches struct {
	total atomic.Int64 // so that a server nobody watches pays nothing
	mu    struct {
		sync.RWMutex
		open map[watched]int
	}
}

func (w *watches) add(of watched, n int) {
	w.total.Add(int64(n))
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mu.open == nil {
		w.mu.open = map[watched]int{}
	}
	if w.mu.open[of] += n; w.mu.open[of] == 0 {
		delete(w.mu.open, of)
	}
}

// interested counts the watches that may hear of a write: of all objects of the resource, of those in the namespace, and
// of the object itself.
func (w *watches) interested(q *Request) int {
	if w.total.Load() == 0 {
		return 0
	}
	w.mu.RLock()
	defer w.mu.RUnlock()
	of := watched{group: q.Group, resource: q.Resource}
	n := w.mu.open[of]
	if q.Namespace != "" {
		of.namespace = q.Namespace
		n += w.mu.open[of]
	}
	if q.Name != "" {
		of.name = q.Name
		n += w.mu.open[of]
	}
	return n
}
