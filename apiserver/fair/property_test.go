package fair

import (
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model is a queue set with everybody who is in it.
type model struct {
	set     queueSet
	now     time.Duration
	waiting []*waiter
	serving []*waiter
	lasting []*waiter // answered, with seats that linger
}

func (m *model) dispatch() {
	for w := m.set.dispatch(m.now); w != nil; w = m.set.dispatch(m.now) {
		m.waiting = without(m.waiting, w)
		m.serving = append(m.serving, w)
	}
}

func without(all []*waiter, w *waiter) []*waiter {
	for i := range all {
		if all[i] == w {
			return append(all[:i:i], all[i+1:]...)
		}
	}
	panic("served, and never waited")
}

func (m *model) arrive(flow string, wide width) {
	wide = wide.within(m.set.limit)
	w := &waiter{width: wide, began: m.now}
	at, verdict := m.set.arrive(m.now, flowHash("s", flow), wide)
	w.queue = at
	switch verdict {
	case served:
		m.serving = append(m.serving, w)
	case queued:
		m.set.enqueue(m.now, at, w)
		m.waiting = append(m.waiting, w)
		m.dispatch()
	}
}

func (m *model) finish(i int) {
	w := m.serving[i]
	m.serving = without(m.serving, w)
	m.set.finish(m.now, w.queue, w.width, w.began)
	if w.width.linger > 0 {
		m.lasting = append(m.lasting, w)
	}
	m.dispatch()
}

func (m *model) release(i int) {
	w := m.lasting[i]
	m.lasting = without(m.lasting, w)
	m.set.release(m.now, w.queue, w.width)
	m.dispatch()
}

// check compares what the set counts with who is in it.
func (m *model) check(t *rapid.T, lowered bool) {
	s := &m.set
	inUse, widest := 0, 0
	for _, all := range [][]*waiter{m.serving, m.lasting} {
		for _, w := range all {
			inUse += w.width.most()
			widest = max(widest, w.width.most())
		}
	}
	wanted := 0
	for _, w := range m.waiting {
		wanted += w.width.most()
	}
	if s.inUse != inUse || s.executing != len(m.serving) || s.wanted != wanted || s.waiting != len(m.waiting) {
		t.Fatalf("counts %d seats of %d served, %d of %d waiting; there are %d of %d, %d of %d", s.inUse, s.executing, s.wanted, s.waiting,
			inUse, len(m.serving), wanted, len(m.waiting))
	}
	if !lowered && !s.exempt && inUse > s.limit && len(m.serving) > 1 && widest <= s.limit {
		t.Fatalf("%d seats are taken, there are %d", inUse, s.limit)
	}
	busy, executing := 0, 0
	for i := range s.queues {
		q := &s.queues[i]
		if q.busy() {
			busy++
		}
		executing += q.executing
		if q.length < 0 || q.executing < 0 || q.inUse < 0 || math.IsNaN(q.start) || (q.head == nil) != (q.length == 0) {
			t.Fatalf("queue %d: %+v", i, q)
		}
		if q.head != nil && q.start < q.head.arrived {
			t.Fatalf("queue %d has saved up a claim: %v before %v", i, q.start, q.head.arrived)
		}
	}
	if busy != s.busy || executing > s.executing {
		t.Fatalf("counts %d busy queues, there are %d", s.busy, busy)
	}
	if s.waiting > 0 && s.executing == 0 && s.inUse == 0 && s.limit > 0 {
		t.Fatal("all seats are free, and somebody waits")
	}
}

// TestSeatsAreCounted: whatever happens in whatever order, seats are neither lost nor given twice, and nobody waits
// before free seats.
func TestSeatsAreCounted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{}
		lowered := false
		configure := func(t *rapid.T) {
			queues := rapid.IntRange(0, 8).Draw(t, "queues")
			limit := rapid.IntRange(1, 6).Draw(t, "limit")
			lowered = lowered || limit < m.set.limit
			hand := min(queues, rapid.IntRange(1, 4).Draw(t, "hand"))
			m.set.configure(m.now, queuing{queues: queues, hand: hand, length: rapid.IntRange(1, 5).Draw(t, "length")}, limit)
			m.dispatch()
		}
		configure(t)
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) { m.check(t, lowered) },
			"arrive": func(t *rapid.T) {
				wide := width{seats: rapid.IntRange(1, 4).Draw(t, "seats")}
				if rapid.IntRange(0, 3).Draw(t, "lingers") == 0 {
					wide.final, wide.linger = rapid.IntRange(1, 9).Draw(t, "final"), time.Duration(rapid.IntRange(1, 20).Draw(t, "linger"))*time.Millisecond
				}
				m.arrive(fmt.Sprint(rapid.IntRange(0, 9).Draw(t, "flow")), wide)
			},
			"finish": func(t *rapid.T) {
				if len(m.serving) == 0 {
					t.Skip("nobody is served")
				}
				m.finish(rapid.IntRange(0, len(m.serving)-1).Draw(t, "who"))
			},
			"release": func(t *rapid.T) {
				if len(m.lasting) == 0 {
					t.Skip("no seats linger")
				}
				m.release(rapid.IntRange(0, len(m.lasting)-1).Draw(t, "who"))
			},
			"cancel": func(t *rapid.T) {
				if len(m.waiting) == 0 {
					t.Skip("nobody waits")
				}
				w := m.waiting[rapid.IntRange(0, len(m.waiting)-1).Draw(t, "who")]
				if !m.set.cancel(m.now, w) {
					t.Fatal("who waits cannot leave")
				}
				m.waiting = without(m.waiting, w)
				m.dispatch()
			},
			"pass":      func(t *rapid.T) { m.now += time.Duration(rapid.IntRange(0, 50).Draw(t, "ms")) * time.Millisecond },
			"configure": configure,
		})
		for len(m.serving)+len(m.lasting) > 0 { // let everybody go: nobody is left
			m.now += time.Millisecond
			if len(m.serving) > 0 {
				m.finish(0)
			} else {
				m.release(0)
			}
		}
		m.check(t, lowered)
		if len(m.waiting) > 0 {
			t.Fatalf("%d wait for ever", len(m.waiting))
		}
	})
}

// TestFlowsGetTheSame: flows that always have requests waiting are served the same seat-seconds, however many they send and
// however long they take, but for what a flow's last requests take. With requests of different widths it does not hold as
// strictly: while seats stay free because the next request is too wide for them, the meter runs ahead of everybody.
func TestFlowsGetTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type flow struct {
			name   string
			wide   width
			length time.Duration
			queue  int
			got    float64
		}
		const seats, queues = 8, 64
		flows := make([]*flow, rapid.IntRange(2, 5).Draw(t, "flows"))
		taken := map[int]bool{}
		next := 0
		for i := range flows {
			f := &flow{wide: width{seats: 1}, length: time.Duration(rapid.IntRange(1, 30).Draw(t, "ms")) * time.Millisecond}
			for hand := make([]int, 1); ; next++ { // a queue of its own
				f.name = fmt.Sprint(next)
				if deal(flowHash("s", f.name), queues, hand); !taken[hand[0]] {
					taken[hand[0]], f.queue = true, hand[0]
					break
				}
			}
			flows[i] = f
		}
		m := &model{}
		m.set.configure(0, queuing{queues: queues, hand: 1, length: 100}, seats)
		owner := map[int]*flow{}
		for _, f := range flows {
			owner[f.queue] = f
		}
		for m.now < 500*time.Millisecond {
			for _, f := range flows {
				for m.set.queues[f.queue].length < 60 { // never without somebody who waits
					m.arrive(f.name, f.wide)
				}
			}
			first := time.Duration(math.MaxInt64)
			who := -1
			for i, w := range m.serving {
				if done := w.began + owner[w.queue].length; done < first {
					first, who = done, i
				}
			}
			m.now = max(m.now, first)
			w := m.serving[who]
			owner[w.queue].got += float64(w.width.seats) * (m.now - w.began).Seconds()
			m.finish(who)
		}
		least, most := math.Inf(1), 0.0
		for _, f := range flows {
			least, most = min(least, f.got), max(most, f.got)
		}
		if most-least > 0.05*most+seats*0.03 {
			for _, f := range flows {
				t.Logf("%+v", *f)
			}
			t.Fatalf("one flow was served %.2f seat-seconds, another %.2f", most, least)
		}
	})
}
