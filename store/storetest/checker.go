package storetest

import (
	"context"
	"fmt"
	"slices"

	"proa/store"
)

// Observation is what a client saw of one table over one or several watches that resumed each other.
type Observation struct {
	Table    string
	From     store.Revision
	Changes  []Change
	Progress []Mark
}

// Mark is a Progress that was read after some number of changes.
type Mark struct {
	After    int // len(Changes) at that time
	Revision store.Revision
}

// Note adds what a watcher returned, and its Progress.
func (o *Observation) Note(w store.Watcher, events []store.Event) {
	for _, e := range events {
		o.Changes = append(o.Changes, ChangeOf(e))
	}
	o.Progress = append(o.Progress, Mark{After: len(o.Changes), Revision: w.Progress()})
}

// drain notes all that a watcher has to say without waiting.
func (o *Observation) drain(w store.Watcher) error {
	for {
		select {
		case <-w.Ready():
		default:
			o.Note(w, nil)
			return nil
		}
		events, err := w.Next(context.Background())
		if err != nil {
			return err
		}
		o.Note(w, events)
	}
}

// CheckWatch says where an observation breaks the contract: the changes must be those of the model after From, in order,
// without gap or repetition, and no Progress may be ahead of a change that had not been returned, or behind one that had.
func (m *Model) CheckWatch(o Observation) error {
	all := m.Changes(o.Table)
	first := slices.IndexFunc(all, func(c Change) bool { return c.Item.Revision > o.From })
	if first < 0 {
		first = len(all)
	}
	want := all[first:]
	for i, c := range o.Changes {
		if i >= len(want) {
			return fmt.Errorf("watch of %s from %d: change %d, %s, was never made", o.Table, o.From, i, c)
		}
		if c.String() != want[i].String() {
			return fmt.Errorf("watch of %s from %d: change %d is %s, want %s", o.Table, o.From, i, c, want[i])
		}
	}
	last := o.From
	for _, mark := range o.Progress {
		if mark.Revision < last {
			return fmt.Errorf("watch of %s: progress went from %d back to %d", o.Table, last, mark.Revision)
		}
		last = mark.Revision
		if mark.After < len(want) && want[mark.After].Item.Revision <= mark.Revision {
			return fmt.Errorf("watch of %s: progress %d is ahead of %s", o.Table, mark.Revision, want[mark.After])
		}
		if mark.After > 0 && o.Changes[mark.After-1].Item.Revision > mark.Revision {
			return fmt.Errorf("watch of %s: progress %d is behind %s", o.Table, mark.Revision, o.Changes[mark.After-1])
		}
	}
	return nil
}

// Missed counts the changes of the model after those that were observed.
func (m *Model) Missed(o Observation) int {
	n := 0
	for _, c := range m.Changes(o.Table) {
		if c.Item.Revision > o.From {
			n++
		}
	}
	return n - len(o.Changes)
}
