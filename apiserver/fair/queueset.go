package fair

import (
	"math"
	"time"
)

// guess is how long a request is assumed to be served until it is known.
const guess = 3 * time.Millisecond

// width is what a request takes: seats while it is served, and some after it, for what it set in motion.
type width struct {
	seats  int
	final  int           // after it was answered
	linger time.Duration // for how long
}

// most is the number of seats that the request holds from beginning to end.
func (w width) most() int { return max(w.seats, w.final) }

// within has the same work on the seats that there are, for longer.
func (w width) within(limit int) width {
	if w.final > limit && limit > 0 {
		w.linger = time.Duration(float64(w.linger) * float64(w.final) / float64(limit))
		w.final = limit
	}
	return w
}

// work is in seat-seconds, with the time of service guessed.
func (w width) work() float64 {
	return float64(w.seats)*guess.Seconds() + float64(w.final)*w.linger.Seconds()
}

// waiter is a request in a queue.
type waiter struct {
	width   width
	queue   int
	arrived float64 // the meter's reading
	next    *waiter
	prev    *waiter
	waiting bool
	began   time.Duration // when it left its queue to be served
	admit   chan struct{} // closed then, by whoever called dispatch
}

// queue holds requests of flows that were dealt to it, oldest first.
type queue struct {
	head, tail *waiter
	length     int
	seats      int     // that its waiters want
	work       float64 // of its waiters
	executing  int
	inUse      int     // seats of those
	start      float64 // the meter's reading at which its next request would start in the fluid world
}

func (q *queue) busy() bool { return q.length > 0 || q.executing > 0 }

func (q *queue) push(w *waiter) {
	w.prev, w.waiting = q.tail, true
	if q.tail == nil {
		q.head = w
	} else {
		q.tail.next = w
	}
	q.tail = w
	q.length, q.seats, q.work = q.length+1, q.seats+w.width.most(), q.work+w.width.work()
}

func (q *queue) remove(w *waiter) {
	if w.prev == nil {
		q.head = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		q.tail = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.prev, w.next, w.waiting = nil, nil, false
	q.length, q.seats, q.work = q.length-1, q.seats-w.width.most(), q.work-w.width.work()
	if q.length == 0 {
		q.work = 0
	}
	q.bound()
}

// bound keeps a queue from saving up a claim: nothing starts in the fluid world before it has arrived.
func (q *queue) bound() {
	if q.head != nil {
		q.start = max(q.start, q.head.arrived)
	}
}

// queuing is how requests of a level wait.
type queuing struct {
	exempt bool // everything is served at once
	queues int  // 0: nothing waits, what has no seat is refused
	hand   int  // queues that one flow may choose from
	length int  // of a queue, beyond which requests are refused while all seats are taken
}

// noQueue is the queue of requests that never saw one.
const noQueue = -1

// queueSet decides whose turn it is in one level. It is the fair queuing of Demers, Keshav and Shenker, with requests for
// packets, as KEP-1040 adapts it: seats are many, requests may be wider than one, and their length is known only at the
// end. A meter, r, counts the seat-seconds that every busy queue was entitled to. A queue whose next request would end
// earliest by that meter is next. When a request has been served, its queue's claim is corrected by the time it really took.
//
// Upstream keeps the meter in fixed-point numbers and winds it back before it overflows. Here it is a float that starts
// again at 0 whenever the set is idle, which keeps it small; a set that is busy for a year still counts in microseconds.
//
// It knows no clock and no goroutine: callers say what time it is, which never runs backwards, and hold level.mu.
type queueSet struct {
	queuing
	limit int // seats

	r      float64
	last   time.Duration
	queues []queue // those beyond queuing.queues are left from an earlier configuration, and are served until they are empty
	robin  int     // the queue that was served last
	turn   int     // counts deals, so that no place in a hand is preferred

	waiting, wanted  int // requests, and their seats
	executing, inUse int // requests, and seats; seats outlast requests that linger
	busy             int // queues
	demand           demand
}

// verdict is what becomes of a request that arrives.
type verdict uint8

const (
	served verdict = iota
	queued
	fullQueue // refused: its queue is full, and so are the seats
	noSeat    // refused: nothing waits in this level
)

// configure takes a new configuration; dispatch may then find more to serve.
func (s *queueSet) configure(now time.Duration, q queuing, limit int) {
	s.sync(now)
	s.queuing, s.limit = q, limit
	for len(s.queues) < q.queues {
		s.queues = append(s.queues, queue{})
	}
	s.trim()
}

// trim drops queues at the end that are no longer wanted and are empty.
func (s *queueSet) trim() {
	for n := len(s.queues); n > s.queuing.queues && !s.queues[n-1].busy() && s.queues[n-1].inUse == 0; n-- {
		s.queues = s.queues[:n-1]
	}
	if s.robin >= len(s.queues) {
		s.robin = 0
	}
}

func (s *queueSet) idle() bool { return s.waiting == 0 && s.executing == 0 }

// sync brings the meter up to now. Every busy queue is entitled to the same share of the seats that can be used.
func (s *queueSet) sync(now time.Duration) {
	passed := now - s.last
	s.last = now
	if s.busy == 0 {
		if s.inUse == 0 {
			s.r = 0
		}
		return
	}
	usable := min(s.inUse+s.wanted, s.limit)
	s.r += float64(usable) / float64(s.busy) * passed.Seconds()
}

// arrive decides about a request. When it is served, it holds its seats until finish, which wants the queue that is
// returned. When it is queued, the caller calls enqueue with that queue before anything else.
func (s *queueSet) arrive(now time.Duration, hash uint64, wide width) (int, verdict) {
	s.sync(now)
	if s.queuing.queues == 0 {
		if !s.fits(wide.most()) {
			return noQueue, noSeat
		}
		s.take(now, wide.most())
		return noQueue, served
	}
	at := s.choose(hash)
	q := &s.queues[at]
	if !q.busy() {
		q.start = s.r
	}
	if s.waiting == 0 && s.inUse < s.limit && s.fits(wide.most()) {
		q.start = max(q.start, s.r) + wide.work()
		s.seat(now, q, wide.most())
		return at, served
	}
	if s.inUse >= s.limit && q.length >= s.length {
		return at, fullQueue
	}
	return at, queued
}

// enqueue puts a request into the queue that arrive chose. dispatch or cancel decides about it later, maybe at once.
func (s *queueSet) enqueue(now time.Duration, at int, w *waiter) {
	q := &s.queues[at]
	if !q.busy() {
		s.busy++
	}
	w.queue, w.arrived = at, s.r
	q.push(w)
	q.bound()
	s.waiting, s.wanted = s.waiting+1, s.wanted+w.width.most()
	s.demand.set(now, s.inUse+s.wanted)
}

// choose finds the queue of the hand with the least work in it.
func (s *queueSet) choose(hash uint64) int {
	var cards [mostHand]int
	hand := cards[:min(s.hand, mostHand)]
	deal(hash, s.queuing.queues, hand)
	s.turn++
	best, least := 0, math.Inf(1)
	for i := range hand {
		at := hand[(s.turn+i)%len(hand)]
		if work := s.queues[at].work; work < least {
			best, least = at, work
		}
	}
	return best
}

// fits says whether so many seats can be taken now. Who wants more than there are gets them when nobody is served.
func (s *queueSet) fits(seats int) bool {
	if s.exempt {
		return true
	}
	if seats > s.limit {
		return s.executing == 0
	}
	return s.inUse+seats <= s.limit
}

func (s *queueSet) take(now time.Duration, seats int) {
	s.executing, s.inUse = s.executing+1, s.inUse+seats
	s.demand.set(now, s.inUse+s.wanted)
}

func (s *queueSet) seat(now time.Duration, q *queue, seats int) {
	if !q.busy() {
		s.busy++
	}
	q.executing, q.inUse = q.executing+1, q.inUse+seats
	s.take(now, seats)
}

// dispatch serves the next waiter, or returns nil when nobody waits or the next has no room yet. Once it is the turn of a
// wide request, all others wait until there is room for it: it would never be served if narrow ones slipped by.
func (s *queueSet) dispatch(now time.Duration) *waiter {
	if s.waiting == 0 || s.inUse >= s.limit {
		return nil
	}
	s.sync(now)
	best, first := noQueue, math.Inf(1)
	for i := range s.queues {
		at := (s.robin + 1 + i) % len(s.queues)
		if q := &s.queues[at]; q.head != nil {
			if end := q.start + q.head.width.work(); end < first {
				best, first = at, end
			}
		}
	}
	q := &s.queues[best]
	w := q.head
	if !s.fits(w.width.most()) {
		return nil
	}
	s.robin = best
	s.leave(w)
	s.seat(now, q, w.width.most())
	q.start += w.width.work()
	q.bound()
	w.began = now
	return w
}

// leave takes a waiter out of its queue.
func (s *queueSet) leave(w *waiter) {
	q := &s.queues[w.queue]
	q.remove(w)
	if !q.busy() {
		s.busy--
	}
	s.waiting, s.wanted = s.waiting-1, s.wanted-w.width.most()
}

// cancel ends the wait of a request; false means that it is being served already.
func (s *queueSet) cancel(now time.Duration, w *waiter) bool {
	if !w.waiting {
		return false
	}
	s.sync(now)
	s.leave(w)
	s.demand.set(now, s.inUse+s.wanted)
	s.trim()
	return true
}

// finish ends a request that was served since began. Its seats are free, unless they linger: then release frees them.
func (s *queueSet) finish(now time.Duration, at int, wide width, began time.Duration) {
	s.sync(now)
	s.executing--
	if at != noQueue {
		q := &s.queues[at]
		q.executing--
		if !q.busy() {
			s.busy--
		}
		q.start -= float64(wide.seats) * (guess - (now - began)).Seconds()
		q.bound()
	}
	if wide.linger <= 0 {
		s.release(now, at, wide)
	}
}

// release frees seats.
func (s *queueSet) release(now time.Duration, at int, wide width) {
	s.sync(now)
	s.inUse -= wide.most()
	if at != noQueue {
		s.queues[at].inUse -= wide.most()
	}
	s.demand.set(now, s.inUse+s.wanted)
	s.trim()
}
