package reconcile

import (
	"sync/atomic"
	"time"

	"proa/internal/measure"
)

// counts are what is known of a queue, under the names that client-go gives them.
type counts struct {
	adds, retries  atomic.Int64
	waited, worked *measure.Histogram
}

func newCounts() *counts {
	seconds := func() *measure.Histogram {
		return measure.NewHistogram(1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10, 100, 1000)
	}
	return &counts{waited: seconds(), worked: seconds()}
}

// load is what a queue holds at a moment.
type load struct {
	depth               int
	unfinished, longest time.Duration // of the work under way: in all, and of the oldest
}

func (q *queue) load() load {
	q.mu.Lock()
	defer q.mu.Unlock()
	var l load
	now := q.clock.Now()
	for _, names := range q.mu.waiting {
		l.depth += len(names)
	}
	for _, item := range q.mu.items {
		if item.state == active || item.state == dirty {
			since := now.Sub(item.since)
			l.unfinished += since
			l.longest = max(l.longest, since)
		}
	}
	return l
}

// Measures lists what dashboards know as workqueue_*, by the names of controllers. It may be called from any goroutine, and lists
// nothing before the host runs.
func (h *Host) Measures() []measure.Family {
	family := func(name, help string, t measure.Type) measure.Family {
		return measure.Family{Name: "workqueue_" + name, Help: help, Type: t, Labels: []string{"name"}}
	}
	adds := family("adds_total", "Keys that were queued", measure.Counter)
	retries := family("retries_total", "Keys that were queued again after an error", measure.Counter)
	depth := family("depth", "Keys that are queued", measure.Gauge)
	waited := family("queue_duration_seconds", "How long keys waited", measure.Distribution)
	worked := family("work_duration_seconds", "How long keys were worked on", measure.Distribution)
	unfinished := family("unfinished_work_seconds", "How long the keys under way have been worked on", measure.Gauge)
	longest := family("longest_running_processor_seconds", "How long the oldest key under way has been worked on", measure.Gauge)
	if !h.started.Load() {
		return nil
	}
	for _, c := range h.controllers {
		q := c.queue
		l := q.load()
		adds.Add(float64(q.counts.adds.Load()), c.Name)
		retries.Add(float64(q.counts.retries.Load()), c.Name)
		depth.Add(float64(l.depth), c.Name)
		waited.AddHistogram(q.counts.waited, c.Name)
		worked.AddHistogram(q.counts.worked, c.Name)
		unfinished.Add(l.unfinished.Seconds(), c.Name)
		longest.Add(l.longest.Seconds(), c.Name)
	}
	return []measure.Family{adds, retries, depth, waited, worked, unfinished, longest}
}
