package reconcile

import (
	"sync"
	"time"
)

// The delays after errors, as upstream's: doubling from minBackoff up to maxBackoff.
const (
	minBackoff = 5 * time.Millisecond
	maxBackoff = 1000 * time.Second
)

// keyState says where a key is.
//
//	         add              worker takes it             worker is done
//	absent ───────▶ queued ────────────────────▶ active ─────────────────▶ absent
//	                   ▲                          │ add
//	                   │      worker is done      ▼
//	                   └──────────────────────── dirty
//
// Beside its state a key may have a timer that adds it later.
type keyState uint8

const (
	absent keyState = iota
	queued
	active
	dirty
)

// queue hands keys to workers: each key once however often it was added, never to two workers at a time, namespaces in
// turn so that a namespace with many keys does not keep the others waiting. Workers exist only while there is work:
// an idle queue costs no goroutine. A queue of fixed workers on a condition was not taken because the many controllers of a
// whole cluster would hold a stack each for nothing.
type queue struct {
	clock   Clock
	workers int
	work    func(Key)
	counts  *counts
	done    sync.WaitGroup // the workers

	mu struct {
		sync.Mutex
		items   map[Key]*queueItem
		turns   []string            // namespaces with queued keys, next first
		waiting map[string][]string // their queued names, oldest first
		running int
		closed  bool
	}
}

type queueItem struct {
	state    keyState
	since    time.Time // that it is queued, or worked on
	failures int
	timer    Timer
}

func newQueue(clock Clock, workers int, work func(Key)) *queue {
	q := &queue{clock: clock, workers: max(workers, 1), work: work, counts: newCounts()}
	q.mu.items = map[Key]*queueItem{}
	q.mu.waiting = map[string][]string{}
	return q
}

// add has the key worked on soon, or again when it is being worked on now.
func (q *queue) add(keys ...Key) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, key := range keys {
		q.addLocked(key)
	}
}

func (q *queue) addLocked(key Key) {
	if q.mu.closed {
		return
	}
	item := q.itemLocked(key)
	switch item.state {
	case absent:
		q.pushLocked(key, item)
	case active:
		item.state = dirty
	}
}

func (q *queue) itemLocked(key Key) *queueItem {
	item := q.mu.items[key]
	if item == nil {
		item = &queueItem{}
		q.mu.items[key] = item
	}
	return item
}

func (q *queue) pushLocked(key Key, item *queueItem) {
	item.state, item.since = queued, q.clock.Now()
	q.counts.adds.Add(1)
	names := q.mu.waiting[key.Namespace]
	if len(names) == 0 {
		q.mu.turns = append(q.mu.turns, key.Namespace)
	}
	q.mu.waiting[key.Namespace] = append(names, key.Name)
	if q.mu.running < q.workers {
		q.mu.running++
		q.done.Go(q.run)
	}
}

// run is a worker: it works until nothing is queued.
func (q *queue) run() {
	for {
		key, ok := q.take()
		if !ok {
			return
		}
		q.work(key)
	}
}

// take makes the next queued key active; ok is false when there is none, and then the worker has ended.
func (q *queue) take() (key Key, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.mu.turns) == 0 || q.mu.closed {
		q.mu.running--
		return Key{}, false
	}
	namespace := q.mu.turns[0]
	q.mu.turns = q.mu.turns[1:]
	names := q.mu.waiting[namespace]
	key = Key{Namespace: namespace, Name: names[0]}
	if len(names) > 1 {
		q.mu.waiting[namespace] = names[1:]
		q.mu.turns = append(q.mu.turns, namespace)
	} else {
		delete(q.mu.waiting, namespace)
	}
	item := q.mu.items[key]
	now := q.clock.Now()
	q.counts.waited.Observe(now.Sub(item.since).Seconds())
	item.state, item.since = active, now
	item.stopTimer() // the run that begins now says itself when it wants the next
	return key, true
}

// finish ends the work on a key that went well; after, if above 0, adds it again then.
func (q *queue) finish(key Key, after time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	item := q.mu.items[key]
	item.failures = 0
	if after > 0 {
		q.delayLocked(key, item, after)
	}
	q.releaseLocked(key, item)
}

// fail ends the work on a key that went wrong and returns after how long it is added again.
func (q *queue) fail(key Key) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	item := q.mu.items[key]
	delay := backoff(item.failures)
	item.failures++
	q.counts.retries.Add(1)
	q.delayLocked(key, item, delay)
	q.releaseLocked(key, item)
	return delay
}

func (q *queue) releaseLocked(key Key, item *queueItem) {
	q.counts.worked.Observe(q.clock.Now().Sub(item.since).Seconds())
	again := item.state == dirty
	item.state = absent
	switch {
	case again && !q.mu.closed:
		q.pushLocked(key, item)
	case item.timer == nil && item.failures == 0:
		delete(q.mu.items, key)
	}
}

func (q *queue) delayLocked(key Key, item *queueItem, delay time.Duration) {
	if q.mu.closed {
		return
	}
	item.stopTimer()
	item.timer = q.clock.AfterFunc(delay, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		item.timer = nil
		q.addLocked(key)
	})
}

func (i *queueItem) stopTimer() {
	if i.timer != nil {
		i.timer.Stop()
		i.timer = nil
	}
}

// close forgets what is queued and waits for the workers.
func (q *queue) close() {
	q.mu.Lock()
	q.mu.closed = true
	for _, item := range q.mu.items {
		item.stopTimer()
	}
	q.mu.Unlock()
	q.done.Wait()
}

// backoff is the delay after that many failures before this one.
func backoff(failures int) time.Duration {
	delay := minBackoff
	for range failures {
		delay *= 2
		if delay >= maxBackoff {
			return maxBackoff
		}
	}
	return delay
}
