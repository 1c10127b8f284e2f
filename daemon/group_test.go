package daemon

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
)

// recorder notes in which order parts end.
type recorder struct {
	mu    sync.Mutex
	ended []string
}

func (r *recorder) part(name string) func(context.Context) error {
	return func(ctx context.Context) error {
		<-ctx.Done()
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ended = append(r.ended, name)
		return ctx.Err()
	}
}

func TestPartsStopInReverse(t *testing.T) {
	g, r := newGroup(slog.New(slog.DiscardHandler)), &recorder{}
	for _, name := range []string{"keys", "api", "node"} {
		g.add(name, r.part(name))
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := g.wait(ctx); err != nil {
		t.Errorf("asked to stop: %v", err)
	}
	if err := g.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if want := []string{"node", "api", "keys"}; !slices.Equal(r.ended, want) {
		t.Errorf("ended %v, want %v", r.ended, want)
	}
}

func TestAPartThatEndsIsNamed(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{{errors.New("port is taken"), "api: port is taken"}, {nil, "api ended unexpectedly"}} {
		g, r := newGroup(slog.New(slog.DiscardHandler)), &recorder{}
		g.add("keys", r.part("keys"))
		g.add("api", func(context.Context) error { return c.err })
		if err := g.wait(context.Background()); err == nil || err.Error() != c.want {
			t.Errorf("wait: %v, want %s", err, c.want)
		}
		err := g.stop()
		if (c.err != nil) != (err != nil && strings.Contains(err.Error(), "port is taken")) || len(r.ended) != 1 {
			t.Errorf("stop: %v, ended %v", err, r.ended)
		}
	}
}
