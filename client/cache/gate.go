package cache

import (
	"context"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

const (
	firstPause = 200 * time.Millisecond
	lastPause  = 30 * time.Second
)

// gate keeps an API that is not there, or has too much to do, from being asked by all streams of a cache at once.
//
//	open -> (a stream could not be opened) -> closed -> (one stream, after a pause, could) -> open
//	                                          closed -> (it could not) -> closed, with a pause twice as long
//
// While it is closed one stream at a time waits the pause out and tries; the others wait for how it went. Pauses are spread
// at random, so that the nodes of a cluster do not come back together.
type gate struct {
	clock  clock.Clock
	random func() float64
	turn   chan struct{} // holds one token; who has it may try while the gate is closed
	mu     struct {
		sync.Mutex
		failures int
	}
}

func newGate(c clock.Clock, random func() float64) *gate {
	g := &gate{clock: c, random: random, turn: make(chan struct{}, 1)}
	g.turn <- struct{}{}
	return g
}

func (g *gate) failures() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.mu.failures
}

// enter waits until the caller may ask the API. done tells whether it was there. The error is ctx's.
func (g *gate) enter(ctx context.Context) (done func(there bool), err error) {
	if g.failures() == 0 {
		return g.report, nil
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-g.turn:
	}
	failures := g.failures()
	if failures == 0 {
		g.turn <- struct{}{}
		return g.report, nil
	}
	select {
	case <-ctx.Done():
		g.turn <- struct{}{}
		return nil, ctx.Err()
	case <-g.clock.After(spread(pauseAfter(failures), g.random)):
	}
	return func(there bool) {
		g.report(there)
		g.turn <- struct{}{}
	}, nil
}

func (g *gate) report(there bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if there {
		g.mu.failures = 0
		return
	}
	g.mu.failures++
}

// pauseAfter doubles from firstPause to lastPause.
func pauseAfter(failures int) time.Duration {
	pause := firstPause
	for i := 1; i < failures && pause < lastPause; i++ {
		pause *= 2
	}
	return min(pause, lastPause)
}

// spread gives a pause between half and three halves of d.
func spread(d time.Duration, random func() float64) time.Duration {
	return time.Duration(float64(d) * (0.5 + random()))
}
