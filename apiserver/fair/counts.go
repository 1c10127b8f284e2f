package fair

import (
	"sync"
	"sync/atomic"
	"time"

	"proa/internal/measure"
)

// flows counts what becomes of the requests of one schema in one level, for metrics.
type flows struct {
	schema string

	executing, inUse   atomic.Int64 // requests, seats
	waiting, wanted    atomic.Int64
	dispatched         atomic.Int64
	full, none, waited atomic.Int64 // refused: the queue was full, there was no seat, it waited too long

	waits, refusedWaits, runs, widths *measure.Histogram
}

func newFlows(schema string) *flows {
	seconds := []float64{0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30}
	return &flows{schema: schema, waits: measure.NewHistogram(seconds...), refusedWaits: measure.NewHistogram(seconds...),
		runs: measure.NewHistogram(seconds...), widths: measure.NewHistogram(1, 2, 4, 10)}
}

func (f *flows) arrived(seats int) { f.widths.Observe(float64(seats)) }

func (f *flows) queued(seats, requests int) {
	f.waiting.Add(int64(requests))
	f.wanted.Add(int64(seats))
}

func (f *flows) began(seats int, waited time.Duration) {
	f.executing.Add(1)
	f.inUse.Add(int64(seats))
	f.dispatched.Add(1)
	f.waits.Observe(waited.Seconds())
}

func (f *flows) ended(seats int, ran time.Duration) {
	f.executing.Add(-1)
	f.inUse.Add(-int64(seats))
	f.runs.Observe(ran.Seconds())
}

func (f *flows) refused(v verdict) {
	if v == fullQueue {
		f.full.Add(1)
	} else {
		f.none.Add(1)
	}
	f.refusedWaits.Observe(0)
}

func (f *flows) gaveUp(after time.Duration) {
	f.waited.Add(1)
	f.refusedWaits.Observe(after.Seconds())
}

// levelCounts holds the flows of a level by schema.
type levelCounts struct {
	mu struct {
		sync.Mutex
		flows []*flows
	}
}

func (c *levelCounts) of(schema string) *flows {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.mu.flows {
		if f.schema == schema {
			return f
		}
	}
	f := newFlows(schema)
	c.mu.flows = append(c.mu.flows, f)
	return f
}

// Measures lists what dashboards know as apiserver_flowcontrol_*.
func (d *Dispatcher) Measures() []measure.Family {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []measure.Family
	for _, row := range flowRows {
		f := measure.Family{Name: "apiserver_flowcontrol_" + row.name, Help: row.help, Type: row.kind, Labels: append([]string{"priority_level", "flow_schema"}, row.label...)}
		for _, l := range d.mu.levels {
			l.counts.mu.Lock()
			for _, flow := range l.counts.mu.flows {
				row.add(&f, flow, l.name)
			}
			l.counts.mu.Unlock()
		}
		all = append(all, f)
	}
	for _, row := range levelRows {
		f := measure.Family{Name: "apiserver_flowcontrol_" + row.name, Help: row.help, Type: measure.Gauge, Labels: []string{"priority_level"}}
		for _, l := range d.mu.levels {
			l.mu.Lock()
			f.Add(row.value(l), l.name)
			l.mu.Unlock()
		}
		all = append(all, f)
	}
	return all
}

type flowRow struct {
	name, help string
	kind       measure.Type
	label      []string
	add        func(to *measure.Family, f *flows, level string)
}

func number(of func(*flows) *atomic.Int64) func(*measure.Family, *flows, string) {
	return func(to *measure.Family, f *flows, level string) { to.Add(float64(of(f).Load()), level, f.schema) }
}

var flowRows = []flowRow{
	{"current_executing_requests", "Number of requests that are being served, or watches that are being initialized", measure.Gauge, nil, number(func(f *flows) *atomic.Int64 { return &f.executing })},
	{"current_executing_seats", "Seats held by the requests that are being served", measure.Gauge, nil, number(func(f *flows) *atomic.Int64 { return &f.inUse })},
	{"current_inqueue_requests", "Number of requests that wait", measure.Gauge, nil, number(func(f *flows) *atomic.Int64 { return &f.waiting })},
	{"current_inqueue_seats", "Seats that waiting requests want", measure.Gauge, nil, number(func(f *flows) *atomic.Int64 { return &f.wanted })},
	{"dispatched_requests_total", "Number of requests that were served", measure.Counter, nil, number(func(f *flows) *atomic.Int64 { return &f.dispatched })},
	{"rejected_requests_total", "Number of requests that were refused", measure.Counter, []string{"reason"}, func(to *measure.Family, f *flows, level string) {
		for reason, n := range map[string]*atomic.Int64{"queue-full": &f.full, "concurrency-limit": &f.none, "time-out": &f.waited} {
			if v := n.Load(); v > 0 {
				to.Add(float64(v), level, f.schema, reason)
			}
		}
	}},
	{"request_wait_duration_seconds", "How long requests waited in their queue", measure.Distribution, []string{"execute"}, func(to *measure.Family, f *flows, level string) {
		to.AddHistogram(f.waits, level, f.schema, "true")
		to.AddHistogram(f.refusedWaits, level, f.schema, "false")
	}},
	{"request_execution_seconds", "How long requests took to serve, or watches to initialize", measure.Distribution, nil, func(to *measure.Family, f *flows, level string) {
		to.AddHistogram(f.runs, level, f.schema)
	}},
	{"work_estimated_seats", "Seats that requests were found to need", measure.Distribution, nil, func(to *measure.Family, f *flows, level string) {
		to.AddHistogram(f.widths, level, f.schema)
	}},
}

var levelRows = []struct {
	name, help string
	value      func(l *level) float64 // called with the level's lock
}{
	{"nominal_limit_seats", "Seats that the level has of its own", func(l *level) float64 { return float64(l.mu.plan.nominal) }},
	{"lower_limit_seats", "Seats that the level never lends", func(l *level) float64 { return float64(l.mu.plan.least) }},
	{"upper_limit_seats", "Seats that the level may have with all that it borrows", func(l *level) float64 { return float64(l.mu.plan.most) }},
	{"current_limit_seats", "Seats that the level has now", func(l *level) float64 { return float64(l.mu.set.limit) }},
	{"demand_seats_smoothed", "Seats that the level wants, smoothed", func(l *level) float64 { return l.mu.smoothed }},
}
