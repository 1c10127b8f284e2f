package fair

import (
	"slices"
	"sync"
	"time"

	flowcontrolv1 "k8s.io/api/flowcontrol/v1"

	"proa/store"
)

// level is what lasts of a priority level while its configuration changes.
type level struct {
	name   string
	counts levelCounts

	mu struct {
		sync.Mutex
		set      queueSet
		retry    retry
		plan     levelPlan
		smoothed float64
		left     bool // its object is gone; it stays until nobody is in it
	}
}

// dispatchLocked serves all whose turn it is.
func (l *level) dispatchLocked(now time.Duration) {
	for w := l.mu.set.dispatch(now); w != nil; w = l.mu.set.dispatch(now) {
		close(w.admit)
	}
}

// reading is the newest configuration. It is read anew when the objects have changed.
func (d *Dispatcher) reading() *reading {
	snap := d.source.Snapshot()
	rev := int64(snap.Revision())
	if r := d.current.Load(); r != nil {
		checked := r.checked.Load()
		if rev <= checked {
			return r
		}
		if r.levels == snap.Changed(tableLevels) && r.schemas == snap.Changed(tableSchemas) {
			r.checked.CompareAndSwap(checked, rev)
			return r
		}
	}
	return d.read()
}

// read takes over the newest configuration.
func (d *Dispatcher) read() *reading {
	d.mu.Lock()
	defer d.mu.Unlock()
	snap := d.source.Snapshot()
	next := &reading{levels: snap.Changed(tableLevels), schemas: snap.Changed(tableSchemas)}
	next.checked.Store(int64(snap.Revision()))
	if r := d.current.Load(); r != nil && r.levels == next.levels && r.schemas == next.schemas {
		return r
	}
	levels := objects[*flowcontrolv1.PriorityLevelConfiguration](snap, tableLevels)
	p := planOf(d.seats, levels, d.leavingLocked(levels), objects[*flowcontrolv1.FlowSchema](snap, tableSchemas))
	d.applyLocked(p)
	for _, s := range p.schemas {
		l := d.mu.levels[s.Spec.PriorityLevelConfiguration.Name]
		next.classes = append(next.classes, &class{schema: s, level: l, schemaUID: []string{string(s.UID)}, levelUID: []string{string(l.mu.plan.object.UID)},
			mostSeats: l.mu.plan.mostSeats, sharded: l.mu.plan.queues > 1, flows: l.counts.of(s.Name)})
	}
	d.rebalanceLocked()
	d.current.Store(next)
	return next
}

func objects[T any](snap store.Snapshot, table string) []T {
	var all []T
	for item := range snap.List(table, "", store.Key{}) {
		if obj, ok := item.Value().(T); ok {
			all = append(all, obj)
		}
	}
	return all
}

// leavingLocked are the levels that are gone and still have somebody in them: they keep their share until they are empty.
func (d *Dispatcher) leavingLocked(levels []*flowcontrolv1.PriorityLevelConfiguration) []*flowcontrolv1.PriorityLevelConfiguration {
	var leaving []*flowcontrolv1.PriorityLevelConfiguration
	for name, l := range d.mu.levels {
		if slices.ContainsFunc(levels, func(o *flowcontrolv1.PriorityLevelConfiguration) bool { return o.Name == name }) || mandatory(name) {
			continue
		}
		l.mu.Lock()
		if l.mu.set.idle() {
			delete(d.mu.levels, name)
		} else {
			leaving = append(leaving, l.mu.plan.object)
		}
		l.mu.Unlock()
	}
	return leaving
}

func mandatory(name string) bool {
	return name == flowcontrolv1.PriorityLevelConfigurationNameExempt || name == flowcontrolv1.PriorityLevelConfigurationNameCatchAll
}

// applyLocked makes the levels what the plan says. New ones begin with the half of what they lend.
func (d *Dispatcher) applyLocked(p plan) {
	now := d.now()
	for _, plan := range p.levels {
		l := d.mu.levels[plan.object.Name]
		if l == nil {
			l = &level{name: plan.object.Name}
			l.mu.set.last = now
			l.mu.set.limit = plan.nominal - (plan.nominal-plan.least)/2
			l.mu.set.demand.begun, l.mu.set.demand.last = now, now
			d.mu.levels[l.name] = l
		}
		l.mu.Lock()
		l.mu.plan = plan
		l.mu.left = plan.leaving
		l.mu.set.configure(now, plan.queuing, l.mu.set.limit)
		l.dispatchLocked(now)
		l.mu.Unlock()
	}
}

// rebalance moves seats to where they are wanted, and forgets levels that are gone and empty.
func (d *Dispatcher) rebalance() {
	d.reading()
	d.mu.Lock()
	defer d.mu.Unlock()
	empty := false
	for _, l := range d.mu.levels {
		l.mu.Lock()
		empty = empty || l.mu.left && l.mu.set.idle()
		l.mu.Unlock()
	}
	if empty {
		d.current.Store(nil) // the next request reads the configuration without them
	}
	d.rebalanceLocked()
}

func (d *Dispatcher) rebalanceLocked() {
	var levels []*level
	var wishes []wish
	now := d.now()
	for _, l := range d.mu.levels {
		l.mu.Lock()
		seen := l.mu.set.demand.reset(now)
		l.mu.smoothed = smooth(l.mu.smoothed, seen)
		wishes = append(wishes, wish{bounds: l.mu.plan.bounds, exempt: l.mu.plan.exempt, seen: seen.most, smoothed: l.mu.smoothed, current: l.mu.set.limit})
		l.mu.Unlock()
		levels = append(levels, l)
	}
	for i, seats := range borrow(wishes) {
		l := levels[i]
		l.mu.Lock()
		l.mu.set.configure(now, l.mu.set.queuing, seats)
		l.dispatchLocked(now)
		l.mu.Unlock()
	}
}
