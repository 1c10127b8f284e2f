package index

import (
	"context"
	"sync/atomic"

	"proa/store"
)

// signal wakes any number of waiters at once. A waiter takes the channel, then looks whether what it waits for is there
// already, then waits; fire comes after the change, so a channel taken too late belongs to a change already visible.
//
// The channel exists only while somebody waits: a table that nobody watches costs its writers nothing.
type signal struct {
	channel atomic.Pointer[chan struct{}]
}

// ended is the channel of every signal that has ended.
var ended = func() *chan struct{} {
	c := make(chan struct{})
	close(c)
	return &c
}()

// wait returns a channel that is closed by the next fire, or by end.
func (s *signal) wait() <-chan struct{} {
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

// fire wakes all who wait now. Callers do not overlap with end.
func (s *signal) fire() {
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
