package reconcile

import (
	"context"
	"time"

	"proa/client"
)

const (
	minWatchDelay = 10 * time.Millisecond
	maxWatchDelay = 10 * time.Second
)

// follow adds the keys of every change of a table, until ctx ends. After a watch that broke it looks at everything that
// its controllers read: the keys of objects that were deleted meanwhile are known to other tables only.
func (h *Host) follow(ctx context.Context, table string) {
	delay := minWatchDelay
	for first := true; ctx.Err() == nil; first = false {
		view := h.reader.View()
		watcher, err := h.reader.Watch(table, view)
		if err == nil {
			h.addRead(table, view, first)
			var seen bool
			if seen, err = h.forward(ctx, table, watcher); seen {
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
func (h *Host) addRead(table string, view client.View, onlyTable bool) {
	for _, c := range h.controllers {
		for _, read := range c.Reads {
			switch {
			case read.Table != table:
			case onlyTable:
				c.addTable(read, view)
			default:
				c.addAll(view)
			}
		}
	}
}

// forward adds keys until the watch breaks; it says how, and whether there was any event.
func (h *Host) forward(ctx context.Context, table string, watcher client.Watcher) (seen bool, err error) {
	for {
		events, err := watcher.Next(ctx)
		if err != nil {
			return seen, err
		}
		seen = true
		view := h.reader.View()
		for _, c := range h.controllers {
			for _, read := range c.Reads {
				if read.Table != table {
					continue
				}
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
