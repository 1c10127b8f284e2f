package index

import (
	"context"
	"fmt"

	"proa/store"
)

// watcher is a place in the history of a table: see node for why it is no more than that.
type watcher struct {
	index    *Index
	table    *table
	at       *node
	progress store.Revision
	events   []store.Event // the slice that Next hands out, kept for its room
}

// Watch starts right after the commit of rev.
func (x *Index) Watch(name string, rev store.Revision) (store.Watcher, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed.Load() {
		return nil, fmt.Errorf("watch %s: %w", name, store.ErrClosed)
	}
	if err := x.withinLocked(rev); err != nil {
		return nil, fmt.Errorf("watch %s from %d: %w", name, rev, err)
	}
	t := x.tableLocked(name)
	return &watcher{index: x, table: t, at: t.place(rev), progress: rev}, nil
}

// Next returns what was linked since. Events it has found before it meets a cut are dropped with the rest: they
// may be part of a commit, and a caller that resumed after them would miss the other part.
func (w *watcher) Next(ctx context.Context) ([]store.Event, error) {
	clear(w.events)
	if w.events = w.events[:0]; cap(w.events) > 1024 {
		w.events = nil
	}
	for {
		changed := w.table.changed.wait()
		if err := w.collect(); err != nil || len(w.events) > 0 {
			return w.events, err
		}
		if w.index.closed.Load() {
			return nil, store.ErrClosed
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// collect moves to the newest node, taking the events on the way.
func (w *watcher) collect() error {
	for at := w.at; ; {
		next := at.next.Load()
		switch next {
		case nil:
			w.at = at
			return nil
		case &cut:
			w.events = nil
			return fmt.Errorf("watch %s after %d: %w", w.table.name, w.progress, store.ErrCompacted)
		}
		w.events = append(w.events, next.event)
		at = next
	}
}

// Ready is closed when Next would not wait.
func (w *watcher) Ready() <-chan struct{} {
	changed := w.table.changed.wait()
	if w.at.next.Load() != nil || w.index.closed.Load() {
		return *ended
	}
	return changed
}

// Progress reads the announced revision before it looks for an event: all events up to that revision are linked, so if
// there is none to be found, all were returned.
func (w *watcher) Progress() store.Revision {
	announced := store.Revision(w.index.announced.Load())
	if w.at.next.Load() == nil {
		w.progress = max(w.progress, announced)
	}
	if w.at.table != nil { // not the empty base
		w.progress = max(w.progress, w.at.revision())
	}
	return w.progress
}
