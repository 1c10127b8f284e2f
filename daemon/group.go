package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// group runs the parts of a process. Parts are added in start order; when one ends, or ctx does, all are stopped in
// reverse order, each only after those that came later have ended.
//
//	added -> running -> (its own error, or its turn to stop) -> ended
type group struct {
	log   *slog.Logger
	parts []*part
	ended chan *part
}

type part struct {
	name   string
	cancel context.CancelFunc
	done   chan struct{}
	err    error
}

func newGroup(log *slog.Logger) *group {
	return &group{log: log, ended: make(chan *part, 64)} // more than there are parts, so that ending never blocks
}

// add starts a part. It goes on until its turn to stop comes, whatever happens to the caller's context.
func (g *group) add(name string, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	p := &part{name: name, cancel: cancel, done: make(chan struct{})}
	g.parts = append(g.parts, p)
	go func() {
		p.err = run(ctx)
		close(p.done)
		g.ended <- p
	}()
}

// wait returns when ctx ends or a part ends by itself, which is an error whatever it returned.
func (g *group) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case p := <-g.ended:
		if p.err == nil {
			return fmt.Errorf("%s ended unexpectedly", p.name)
		}
		return fmt.Errorf("%s: %w", p.name, p.err)
	}
}

// stop ends all parts, last first.
func (g *group) stop() error {
	var failed []error
	for i := len(g.parts) - 1; i >= 0; i-- {
		p := g.parts[i]
		p.cancel()
		<-p.done
		if p.err != nil && !errors.Is(p.err, context.Canceled) {
			failed = append(failed, fmt.Errorf("stop %s: %w", p.name, p.err))
		}
		g.log.Debug("part stopped", "part", p.name)
	}
	g.parts = nil
	return errors.Join(failed...)
}
