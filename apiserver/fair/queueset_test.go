package fair

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// TestQueueSet plays testdata/queueset: one set of queues, and a clock that moves when a script says so. Each line is a
// command, and what follows from it is printed beside it. Commands:
//
//	set queues=N hand=N length=N limit=N   (or exempt) configures
//	arrive NAME flow=F [seats=N] [final=N linger=T]
//	finish NAME, release NAME, cancel NAME
//	after T
//	state
//	demand                                 what was wanted since the last look
func TestQueueSet(t *testing.T) {
	datadriven.Walk(t, "testdata/queueset", func(t *testing.T, path string) {
		p := &player{requests: map[string]*waiter{}}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var out strings.Builder
			for line := range strings.Lines(d.Input) {
				line = strings.TrimSpace(line)
				p.printed = nil
				p.play(t, line)
				out.WriteString(strings.TrimSpace(fmt.Sprintf("%-40s %s", line, strings.Join(p.printed, "; "))) + "\n")
			}
			return out.String()
		})
	})
}

type player struct {
	set      queueSet
	now      time.Duration
	requests map[string]*waiter
	printed  []string
}

func (p *player) say(format string, args ...any) {
	p.printed = append(p.printed, fmt.Sprintf(format, args...))
}

func (p *player) play(t *testing.T, line string) {
	words := strings.Fields(line)
	args := map[string]string{}
	for _, w := range words[1:] {
		k, v, _ := strings.Cut(w, "=")
		args[k] = v
	}
	number := func(name string, otherwise int) int {
		if args[name] == "" {
			return otherwise
		}
		var n int
		if _, err := fmt.Sscan(args[name], &n); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		return n
	}
	switch words[0] {
	case "set":
		_, exempt := args["exempt"]
		p.set.configure(p.now, queuing{exempt, number("queues", 0), number("hand", 0), number("length", 0)}, number("limit", 0))
		p.dispatch()
	case "after":
		passed, err := time.ParseDuration(words[1])
		if err != nil {
			t.Fatal(err)
		}
		p.now += passed
	case "arrive":
		wide := width{seats: number("seats", 1), final: number("final", 0)}
		if args["linger"] != "" {
			wide.linger, _ = time.ParseDuration(args["linger"])
		}
		p.arrive(words[1], args["flow"], wide)
	case "finish":
		w := p.requests[words[1]]
		p.set.finish(p.now, w.queue, w.width, w.began)
		p.dispatch()
	case "release":
		w := p.requests[words[1]]
		p.set.release(p.now, w.queue, w.width)
		p.dispatch()
	case "cancel":
		if !p.set.cancel(p.now, p.requests[words[1]]) {
			p.say("is served already")
		}
		p.dispatch()
	case "state":
		p.state()
	case "demand":
		seen := p.set.demand.reset(p.now)
		p.say("average %.3f, deviation %.3f, most %d in %v", seen.average, seen.deviation, seen.most, seen.lasted)
	default:
		t.Fatalf("no command %q", words[0])
	}
}

func (p *player) arrive(name, flow string, wide width) {
	wide = wide.within(p.set.limit)
	w := &waiter{width: wide, began: p.now}
	p.requests[name] = w
	at, verdict := p.set.arrive(p.now, flowHash("schema", flow), wide)
	w.queue = at
	p.say("%s", [...]string{"served", "queued", "refused: queue is full", "refused: no seat"}[verdict])
	if at != noQueue {
		p.say("queue %d", at)
	}
	if verdict == queued {
		p.set.enqueue(p.now, at, w)
		p.dispatch()
	}
}

func (p *player) dispatch() {
	for w := p.set.dispatch(p.now); w != nil; w = p.set.dispatch(p.now) {
		for name, known := range p.requests {
			if known == w {
				p.say("%s is next", name)
			}
		}
	}
}

func (p *player) state() {
	s := &p.set
	p.say("meter %.4f, %d executing on %d of %d seats, %d waiting for %d", s.r, s.executing, s.inUse, s.limit, s.waiting, s.wanted)
	for i := range s.queues {
		q := &s.queues[i]
		if !q.busy() {
			continue
		}
		var names []string
		for w := q.head; w != nil; w = w.next {
			for name, known := range p.requests {
				if known == w {
					names = append(names, name)
				}
			}
		}
		p.say("queue %d: start %.4f, %d executing, waiting %v", i, q.start, q.executing, names)
	}
}

// TestDeal: a hand has no card twice, all cards are equally likely, and nearly all pairs of flows differ in a card.
func TestDeal(t *testing.T) {
	const queues, size, flows = 64, 6, 64000
	seen := make([]int, queues)
	same := 0
	last := make([]int, size)
	for flow := range flows {
		hand := make([]int, size)
		deal(flowHash("schema", fmt.Sprint("user-", flow)), queues, hand)
		slices.Sort(hand)
		if len(slices.Compact(slices.Clone(hand))) != size || hand[size-1] >= queues || hand[0] < 0 {
			t.Fatalf("hand %v", hand)
		}
		for _, card := range hand {
			seen[card]++
		}
		if slices.Equal(hand, last) {
			same++
		}
		last = hand
	}
	for card, n := range seen {
		if want := flows * size / queues; n < want*9/10 || n > want*11/10 {
			t.Errorf("queue %d was dealt %d times, about %d expected", card, n, want)
		}
	}
	if same > 0 {
		t.Errorf("%d neighbours have the same hand", same)
	}
}
