package reconcile

import (
	"context"
	"time"

	"proa/client"
	"proa/kinds/resource"
)

const (
	minWatchDelay = 10 * time.Millisecond
	maxWatchDelay = 10 * time.Second
)

// reader is a controller with what it reads of one table.
type reader struct {
	*running
	reads []Read
}

// readers are the controllers that read a table. row is the table's if users defined it, or nil.
func (h *Host) readers(table string, row *resource.Resource) []reader {
	var all []reader
	for _, c := range h.controllers {
		if reads := c.readsOf(table, row); len(reads) > 0 {
			all = append(all, reader{c, reads})
		}
	}
	return all
}

// follow adds the keys of every change of a table, until ctx ends. After a watch that broke it looks at everything that
// its controllers read: the keys of objects that were deleted meanwhile are known to other tables only.
func (h *Host) follow(ctx context.Context, table string, readers []reader) {
	delay := minWatchDelay
	for first := true; ctx.Err() == nil; first = false {
		view := h.reader.View()
		watcher, err := h.reader.Watch(table, view)
		if err == nil {
			h.addRead(readers, view, first)
			var seen bool
			if seen, err = h.forward(ctx, readers, watcher); seen {
				delay = minWatchDelay
			}
		}
		if ctx.Err() != nil {
			return
		}
		h.config.Log.Info("watch lost, starting anew", "table", table, "again", delay, "error", err)
		h.sleep(ctx, delay)
		delay = min(2*delay, maxWatchDelay)
	}
}

// addRead adds what a table's objects concern, or all keys of the controllers that read the table.
func (h *Host) addRead(readers []reader, view client.View, onlyTable bool) {
	for _, c := range readers {
		if !onlyTable {
			c.addAll(view)
		}
		for _, read := range c.reads {
			c.addTable(read, view)
		}
	}
}

// forward adds keys until the watch breaks; it says how, and whether there was any event.
func (h *Host) forward(ctx context.Context, readers []reader, watcher client.Watcher) (seen bool, err error) {
	for {
		events, err := watcher.Next(ctx)
		if err != nil {
			return seen, err
		}
		seen = true
		view := h.reader.View()
		for _, c := range readers {
			for _, read := range c.reads {
				for _, event := range events {
					c.queue.add(read.Keys(view, event)...)
				}
			}
		}
	}
}

func (h *Host) sleep(ctx context.Context, delay time.Duration) {
	done := make(chan struct{})
	timer := h.config.Clock.AfterFunc(delay, func() { close(done) })
	select {
	case <-done:
	case <-ctx.Done():
		timer.Stop()
	}
}
