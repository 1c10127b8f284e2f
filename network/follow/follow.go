// Package follow keeps something in the kernel in step with tables of the API: it is done once at the start, and again
// after every change that matters. Changes that come while it is being done are answered together.
//
// What failed is tried again after a pause, and so is a watch that broke. When the API cannot be reached nothing is done:
// the kernel goes on with what it has.
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
			l.retry(ctx, "watch broke", func() error { return l.follow(ctx, table, matters) })
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
			l.cfg.Log.Error("the kernel could not be brought in step; trying again", "err", err)
			if !l.pause(ctx) {
				return
			}
			l.Mark()
		}
	}
}

// retry calls f, which ends with an error alone, again and again until ctx ends.
func (l *Loop) retry(ctx context.Context, what string, f func() error) {
	for ctx.Err() == nil {
		err := f()
		if ctx.Err() != nil {
			return
		}
		l.cfg.Log.Warn(what, "err", err)
		if !l.pause(ctx) {
			return
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
