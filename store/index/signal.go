package index

import (
	"context"
	"sync/atomic"
	"time"

	"proa/store"
)

// signal wakes any number of waiters at once. A waiter takes the channel, then looks whether what it waits for is there
// already, then waits; fire comes after the change, so a channel taken too late belongs to a change already visible.
//
// The channel exists only while somebody waits: a table that nobody watches costs its writers nothing.
type signal struct {
	channel atomic.Pointer[chan struct{}]
	waiters atomic.Int64 // since the last fire, roughly: some may have taken the channel twice, or wait no more
}

// ended is the channel of every signal that has ended.
var ended = func() *chan struct{} {
	c := make(chan struct{})
	close(c)
	return &c
}()

// wait returns a channel that is closed by the next fire, or by end.
func (s *signal) wait() <-chan struct{} {
	s.waiters.Add(1)
	for {
		if c := s.channel.Load(); c != nil {
			return *c
		}
		c := make(chan struct{})
		if s.channel.CompareAndSwap(nil, &c) {
			return c
		}
	}
}

// fire wakes all who wait now.
func (s *signal) fire() {
	s.waiters.Store(0)
	for {
		c := s.channel.Load()
		if c == nil || c == ended {
			return
		}
		if s.channel.CompareAndSwap(c, nil) {
			close(*c)
			return
		}
	}
}

// end wakes all who wait, now and later.
func (s *signal) end() {
	if c := s.channel.Swap(ended); c != nil && c != ended {
		close(*c)
	}
}

// To wake a watcher and have it write costs some of wakeCost, however many changes it finds. A table with many watchers and
// many writers would spend all its time waking for single changes, so it pauses between two wakes in proportion to those who
// wait: one that was quiet for that long wakes them at once.
const (
	wakeCost  = 50 * time.Microsecond
	mostPause = 50 * time.Millisecond
)

// pace wakes the watchers of a table, at once or a little later. Its fields are guarded by Index.mu.
type pace struct {
	last    time.Time // of the last wake
	pending *time.Timer
}

// dueLocked says whether those who watch the table are to be woken now, with fire, after Index.mu was let go. If not, they
// will be soon.
func (x *Index) dueLocked(t *table) bool {
	if t.pace.pending != nil {
		return false
	}
	pause := min(mostPause, time.Duration(t.changed.waiters.Load())*wakeCost)
	since := time.Since(t.pace.last)
	if since >= pause {
		t.announceLocked()
		return true
	}
	t.pace.pending = time.AfterFunc(pause-since, func() {
		x.mu.Lock()
		t.pace.pending = nil
		t.announceLocked()
		x.mu.Unlock()
		t.changed.fire()
	})
	return false
}

// announceLocked lets those who look find what is linked.
func (t *table) announceLocked() {
	t.pace.last = time.Now()
	if n := len(t.nodes); n > 0 {
		t.woken.Store(int64(t.nodes[n-1].revision()))
	}
}

// WaitFor returns when the newest revision is at least rev, with ctx's error, or with ErrClosed.
func (x *Index) WaitFor(ctx context.Context, rev store.Revision) error {
	for {
		grown := x.grown.wait()
		if x.Revision() >= rev {
			return nil
		}
		if x.closed.Load() {
			return store.ErrClosed
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
