package cache

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"

	"proa/client"
)

// batch is the events of one publication of one table, and the way to the next one.
type batch struct {
	events []client.Event
	next   atomic.Pointer[batch]
	more   chan struct{} // closed after next is set
}

func newBatch(events ...client.Event) *batch {
	return &batch{events: events, more: make(chan struct{})}
}

// append links what comes next. It is called once for each batch, under the cache's lock.
func (b *batch) append(next *batch) {
	b.next.Store(next)
	close(b.more)
}

// watcher walks along the batches of one table.
type watcher struct {
	at *batch // the last one whose events were returned
}

// View implements client.Client.
func (c *Cache) View() client.View { return c.newest.Load() }

// Watch implements client.Client. A watch of this cache never loses events: when the API was away, or its history lost, it
// yields the difference.
func (c *Cache) Watch(table string, after client.View) (client.Watcher, error) {
	v, ok := after.(*view)
	if !ok || v.cache != c {
		return nil, errors.New("watch " + table + ": the view is not of this client")
	}
	s := v.tables[table]
	if s == nil {
		return nil, fmt.Errorf("watch %s: this client holds no such table", table)
	}
	return &watcher{at: s.last}, nil
}

// Next implements client.Watcher.
func (w *watcher) Next(ctx context.Context) ([]client.Event, error) {
	for {
		var events []client.Event
		for next := w.at.next.Load(); next != nil; next = w.at.next.Load() {
			events = append(events, next.events...)
			w.at = next
		}
		if len(events) > 0 {
			return events, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-w.at.more:
		}
	}
}

// WaitFor implements client.Client. What the table would not show, because its selector or nobody's naming it keeps it
// out, is waited for only until the view no longer shows an older version of it.
func (c *Cache) WaitFor(ctx context.Context, written client.Object) error {
	row := c.cfg.Kinds.Of(written)
	if row == nil {
		return fmt.Errorf("wait for %T: it is of no kind that is stored", written)
	}
	h := c.tables[row.Table()]
	if h == nil {
		return fmt.Errorf("wait for %s %s: this client holds no such table", row.Table(), written.GetName())
	}
	revision, err := strconv.ParseInt(written.GetResourceVersion(), 10, 64)
	if err != nil {
		return fmt.Errorf("wait for %s %s: %w", row.Table(), written.GetName(), err)
	}
	for {
		c.mu.Lock()
		changed := c.mu.changed
		c.mu.Unlock()
		if c.newest.Load().tables[h.Name].shows(h, written, revision) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// shows says whether the table is as new as a write of the object, for those who look at this object.
func (s *state) shows(h *held, written client.Object, revision int64) bool {
	if s.read && s.progress >= revision {
		return true
	}
	now := s.get(written.GetNamespace(), written.GetName())
	if now == nil {
		return h.NamedBy != nil || s.read && !h.holds(written)
	}
	return revisionOf(now) >= revision
}

func revisionOf(obj client.Object) int64 {
	revision, err := strconv.ParseInt(obj.GetResourceVersion(), 10, 64)
	if err != nil {
		return 0 // older than everything
	}
	return revision
}
