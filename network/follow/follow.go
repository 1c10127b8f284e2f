// Package follow keeps something outside the API, such as the kernel's packet rules, in step with tables of the API: it is
// done once at the start, and again after every change that matters. Changes that come while it is being done are answered
// together.
//
// What failed is tried again after a pause, and so is a watch that broke. When the API cannot be reached nothing is done,
// and what was done holds.
package follow

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"proa/client"
)

// Config is what a Loop needs. All but Log and After are required.
type Config struct {
	Client client.Client
	Tables map[string]func(client.Event) bool // the tables, and which of their changes matter
	Do     func() error                       // reads the newest view itself
	Log    *slog.Logger
	After  func(time.Duration) <-chan time.Time // nil means time.After
}

// retryAfter is the pause before what failed, or a watch that broke, is tried again.
const retryAfter = time.Second

// Loop does Config.Do whenever it is due.
type Loop struct {
	cfg   Config
	dirty chan struct{} // holds one token when something changed
}

// New starts nothing.
func New(cfg Config) *Loop {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.After == nil {
		cfg.After = time.After
	}
	return &Loop{cfg: cfg, dirty: make(chan struct{}, 1)}
}

// Always is for tables whose every change matters.
func Always(client.Event) bool { return true }

// Mark has it done once more.
func (l *Loop) Mark() {
	select {
	case l.dirty <- struct{}{}:
	default: // it is marked already
	}
}

// Run works until ctx ends.
func (l *Loop) Run(ctx context.Context) {
	var watches sync.WaitGroup
	defer watches.Wait()
	for table, matters := range l.cfg.Tables {
		watches.Go(func() {
			for ctx.Err() == nil {
				err := l.follow(ctx, table, matters)
				if ctx.Err() != nil {
					return
				}
				l.cfg.Log.Warn("watch broke", "err", err)
				if !l.pause(ctx) {
					return
				}
			}
		})
	}
	l.Mark()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.dirty:
		}
		if err := l.cfg.Do(); err != nil {
			l.cfg.Log.Error("not in step with the API; trying again", "err", err)
			if !l.pause(ctx) {
				return
			}
			l.Mark()
		}
	}
}

// follow marks until the watch of a table breaks, and says why it did.
func (l *Loop) follow(ctx context.Context, table string, matters func(client.Event) bool) error {
	w, err := l.cfg.Client.Watch(table, l.cfg.Client.View())
	if err != nil {
		return fmt.Errorf("watch %s: %w", table, err)
	}
	l.Mark() // what changed before the watch began
	for {
		events, err := w.Next(ctx)
		if err != nil {
			return fmt.Errorf("watch %s: %w", table, err)
		}
		for _, e := range events {
			if matters(e) {
				l.Mark()
				break
			}
		}
	}
}

// pause waits before a retry; it returns false when ctx ends.
func (l *Loop) pause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-l.cfg.After(retryAfter):
		return true
	}
}
