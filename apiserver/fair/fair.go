package fair

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	"k8s.io/utils/clock"

	"proa/store"
)

const (
	tableLevels  = "prioritylevelconfigurations." + flowcontrolv1.GroupName
	tableSchemas = "flowschemas." + flowcontrolv1.GroupName

	defaultSeats = 600 // upstream's 400 that read and 200 that write
	defaultWait  = 15 * time.Second
	longestWait  = time.Minute
)

// Source hands out the newest state; a store.Store is one.
type Source interface {
	Snapshot() store.Snapshot
}

// Config says what a Dispatcher works with.
type Config struct {
	Source Source                              // required: holds the objects that say how to share
	Clock  clock.WithTickerAndDelayedExecution // required
	Seats  int                                 // optional: of all levels that are not exempt; 0 means 600
	Wait   time.Duration                       // optional: of requests whose context has no deadline; 0 means 15 s. Others wait a quarter of theirs.
}

// Dispatcher decides when a request is served.
type Dispatcher struct {
	source  Source
	clock   clock.WithTickerAndDelayedExecution
	epoch   time.Time
	seats   int
	wait    time.Duration
	watches watches

	current atomic.Pointer[reading]
	mu      struct {
		sync.Mutex // comes before any level's
		levels     map[string]*level
	}
}

// reading is the configuration as one snapshot has it. It never changes, but for checked.
type reading struct {
	levels, schemas store.Revision // by which it is told from others
	checked         atomic.Int64   // the highest revision for which they were seen to hold
	classes         []*class
}

// New makes a Dispatcher. It starts nothing: Run moves seats between levels.
func New(c Config) (*Dispatcher, error) {
	if c.Source == nil || c.Clock == nil {
		return nil, errors.New("make dispatcher of requests: Source and Clock are required")
	}
	d := &Dispatcher{source: c.Source, clock: c.Clock, epoch: c.Clock.Now(), seats: cmp.Or(c.Seats, defaultSeats), wait: cmp.Or(c.Wait, defaultWait)}
	d.mu.levels = map[string]*level{}
	return d, nil
}

// now is the time since the dispatcher was made, which is all that deciders know of time.
func (d *Dispatcher) now() time.Duration { return d.clock.Since(d.epoch) }

// Ticket is the turn of one request. It is used by one goroutine.
type Ticket struct {
	class *class
	at    int
	width width
	began time.Duration
	open  bool

	// RetryAfter is set when the request was refused: seconds to stay away.
	RetryAfter int64
}

// Headers are the values of the response headers that name the schema and the level by their UIDs. They are shared.
func (t *Ticket) Headers() (schema, level []string) { return t.class.schemaUID, t.class.levelUID }

// Start waits for the turn of a request. false means that it is refused. Otherwise Finish ends its turn; a second Finish
// does nothing.
func (d *Dispatcher) Start(ctx context.Context, q *Request) (Ticket, bool) {
	r := d.reading()
	c := classOf(r.classes, q)
	t := Ticket{class: c, width: d.estimate(q, c.mostSeats)}
	l := c.level
	hash := uint64(0)
	if c.sharded {
		hash = flowHash(c.schema.Name, distinguisher(c.schema, q))
	}
	c.flows.arrived(t.width.most())

	l.mu.Lock()
	now := d.now()
	t.width = t.width.within(l.mu.set.limit)
	at, verdict := l.mu.set.arrive(now, hash, t.width)
	t.at, t.began = at, now
	if verdict != queued {
		if verdict != served {
			t.RetryAfter = l.mu.retry.refuse(int64(now / time.Second))
		}
		l.mu.Unlock()
		if verdict == served {
			t.open = true
			c.flows.began(t.width.most(), 0)
			return t, true
		}
		c.flows.refused(verdict)
		return t, false
	}
	w := &waiter{width: t.width, admit: make(chan struct{})}
	l.mu.set.enqueue(now, at, w)
	c.flows.queued(w.width.most(), 1)
	l.dispatchLocked(now)
	l.mu.Unlock()
	return d.await(ctx, t, w)
}

// await waits in a queue.
func (d *Dispatcher) await(ctx context.Context, t Ticket, w *waiter) (Ticket, bool) {
	limit := d.wait
	if deadline, ok := ctx.Deadline(); ok {
		limit = min(time.Until(deadline)/4, longestWait)
	}
	timer := d.clock.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-w.admit:
	case <-timer.C():
	case <-ctx.Done():
	}
	l, arrived := t.class.level, t.began
	l.mu.Lock()
	defer l.mu.Unlock()
	now := d.now()
	if l.mu.set.cancel(now, w) {
		t.RetryAfter = l.mu.retry.refuse(int64(now / time.Second))
		t.class.flows.queued(-w.width.most(), -1)
		t.class.flows.gaveUp(now - arrived)
		l.dispatchLocked(now)
		return t, false
	}
	t.width, t.began, t.open = w.width, w.began, true
	t.class.flows.queued(-w.width.most(), -1)
	t.class.flows.began(t.width.most(), t.began-arrived)
	return t, true
}

// Finish ends a request's turn and begins those of others.
func (d *Dispatcher) Finish(t *Ticket) {
	if !t.open {
		return
	}
	t.open = false
	l := t.class.level
	l.mu.Lock()
	now := d.now()
	l.mu.set.finish(now, t.at, t.width, t.began)
	l.dispatchLocked(now)
	l.mu.Unlock()
	t.class.flows.ended(t.width.most(), now-t.began)
	if t.width.linger > 0 {
		at, wide := t.at, t.width
		d.clock.AfterFunc(wide.linger, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			now := d.now()
			l.mu.set.release(now, at, wide)
			l.dispatchLocked(now)
		})
	}
}

// Watch counts a watch as long as it is open: done ends it.
func (d *Dispatcher) Watch(q *Request) (done func()) {
	of := watched{q.Group, q.Resource, q.Namespace, q.Name}
	d.watches.add(of, 1)
	return func() { d.watches.add(of, -1) }
}

// Run moves seats between levels until ctx ends.
func (d *Dispatcher) Run(ctx context.Context) error {
	ticker := d.clock.NewTicker(borrowPeriod)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
			d.rebalance()
		}
	}
}
