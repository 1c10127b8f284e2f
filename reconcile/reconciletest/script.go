// Package reconciletest runs controllers through scripts: a fake API, a clock that stands still, and one goroutine, so that
// what is printed is the same each time. The tests of controllers call Run; a script in testdata says what happens in the
// cluster, and what the controllers did about it is compared with what it says below each step (go test -rewrite).
//
// Steps, each followed by everything that the controllers did until none had work left:
//
//	put                                      objects in YAML, stored as they are
//	apply                                    objects in YAML, created, or updated as a user would
//	patch table=T name=NS/NAME [sub=status]  a JSON merge patch in YAML
//	delete table=T name=NS/NAME [propagation=Foreground|Orphan|Background] [grace=N]
//	pods [ready|running|failed] [only=SUB]   node agents: terminating pods go, the others get that state
//	advance D                                time passes
//	fault verb=V table=T [sub=S] [error=E] [times=N]   writes fail: conflict, forbidden, terminating, notfound, exists or any text
//	run                                      nothing happens
//	show table=T [name=NS/NAME] [field=a.b]  prints objects, or a field of them, as YAML
package reconciletest

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"proa/client"
	"proa/client/fake"
	"proa/kinds"
	"proa/reconcile"
)

// start is the time at which every script begins.
var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// maxSteps bounds the runs of one step; controllers that need more do not settle.
const maxSteps = 2000

// Run plays every script of a directory against the controllers that make returns.
func Run(t *testing.T, dir string, table *kinds.Table, make func() []reconcile.Controller) {
	datadriven.Walk(t, dir, func(t *testing.T, path string) {
		p := newPlayer(t, table, make())
		datadriven.RunTest(t, path, p.play)
	})
}

// player is the state of one script.
type player struct {
	api         *fake.API
	kinds       *kinds.Table
	user        client.Client
	now         time.Time
	controllers []*driven
	seen        map[string]client.Watcher
	addresses   int // given to pods so far
	out         strings.Builder
}

// driven is a controller with its keys.
type driven struct {
	reconcile.Controller
	client client.Client
	events *reconcile.Recorder
	queue  []reconcile.Key
	timers map[reconcile.Key]time.Time
	failed map[reconcile.Key]int
}

func newPlayer(t *testing.T, table *kinds.Table, controllers []reconcile.Controller) *player {
	p := &player{kinds: table, now: start, seen: map[string]client.Watcher{}}
	p.api = fake.New(fake.Config{Kinds: table, Now: func() time.Time { return p.now }})
	p.user = p.api.As("user")
	empty := p.user.View()
	for _, c := range controllers {
		d := &driven{Controller: c, client: p.api.As(c.Identity), timers: map[reconcile.Key]time.Time{}, failed: map[reconcile.Key]int{}}
		d.events = reconcile.NewRecorder(d.client, table, c.EventSource(), p, slog.New(slog.DiscardHandler))
		p.controllers = append(p.controllers, d)
		for _, read := range c.Reads {
			if p.seen[read.Table] != nil {
				continue
			}
			watcher, err := p.user.Watch(read.Table, empty)
			if err != nil {
				t.Fatal(err)
			}
			p.seen[read.Table] = watcher
		}
	}
	return p
}

// Now implements reconcile.Clock.
func (p *player) Now() time.Time { return p.now }

// AfterFunc implements reconcile.Clock; nothing that the player hands its clock to waits.
func (p *player) AfterFunc(time.Duration, func()) reconcile.Timer {
	panic("reconciletest: time only passes by the advance step")
}

func (p *player) play(t *testing.T, d *datadriven.TestData) string {
	p.out.Reset()
	if d.Cmd == "show" {
		if err := p.show(d); err != nil {
			d.Fatalf(t, "show: %v", err)
		}
		return p.out.String()
	}
	if d.Cmd == "advance" {
		p.advance(t, d)
		return p.out.String()
	}
	if err := p.step(d); err != nil {
		fmt.Fprintf(&p.out, "error: %v\n", err)
	}
	p.api.TakeLog() // what the user did stands in the script
	p.settle()
	return p.out.String()
}

// advance moves the clock from timer to timer.
func (p *player) advance(t *testing.T, d *datadriven.TestData) {
	by, err := time.ParseDuration(d.CmdArgs[0].Key)
	if err != nil {
		d.Fatalf(t, "advance: %v", err)
	}
	end := p.now.Add(by)
	for range maxSteps {
		c, key, due := p.earliest()
		if c == nil || due.After(end) {
			break
		}
		p.now = due
		delete(c.timers, key)
		c.add(key)
		p.settle()
	}
	p.now = end
}

func (p *player) earliest() (first *driven, key reconcile.Key, due time.Time) {
	for _, c := range p.controllers {
		for k, at := range c.timers {
			if first == nil || at.Before(due) || at.Equal(due) && c == first && k.String() < key.String() {
				first, key, due = c, k, at
			}
		}
	}
	return first, key, due
}

// settle runs controllers, in their order, until none has work left.
func (p *player) settle() {
	for range maxSteps {
		p.observe()
		c := p.next()
		if c == nil {
			return
		}
		p.reconcile(c)
	}
	p.out.WriteString("DOES NOT SETTLE\n")
}

func (p *player) next() *driven {
	for _, c := range p.controllers {
		if len(c.queue) > 0 {
			return c
		}
	}
	return nil
}

// observe adds the keys of all changes since the last time.
func (p *player) observe() {
	over, cancel := context.WithCancel(context.Background())
	cancel()
	view := p.user.View()
	events := map[string][]client.Event{}
	for table, watcher := range p.seen {
		events[table], _ = watcher.Next(over)
	}
	for _, c := range p.controllers {
		for _, read := range c.Reads {
			for _, event := range events[read.Table] {
				c.add(read.Keys(view, event)...)
			}
		}
	}
}

func (d *driven) add(keys ...reconcile.Key) {
next:
	for _, key := range keys {
		for _, have := range d.queue {
			if have == key {
				continue next
			}
		}
		d.queue = append(d.queue, key)
	}
}

func (p *player) reconcile(c *driven) {
	key := c.queue[0]
	c.queue = c.queue[1:]
	delete(c.timers, key)
	result, err := c.Reconcile(context.Background(), reconcile.Request{
		Key: key, View: c.client.View(), Now: p.now, Client: c.client, Events: c.events, Log: slog.New(slog.DiscardHandler),
	})
	p.print()
	if err != nil {
		fmt.Fprintf(&p.out, "%s: %s failed: %v\n", c.Name, key, err)
		c.failed[key]++
		c.timers[key] = p.now.Add(5 * time.Millisecond << min(c.failed[key]-1, 17))
		return
	}
	delete(c.failed, key)
	if result.After > 0 {
		c.timers[key] = p.now.Add(result.After)
	}
}
