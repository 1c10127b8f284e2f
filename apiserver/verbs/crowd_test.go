package verbs

import (
	"context"
	"runtime"
	"testing"
	"time"

	testclock "k8s.io/utils/clock/testing"
)

// TestCrowd: few never wait; many wait the longer, the more they are, up to a bound, and not beyond the end of their request.
func TestCrowd(t *testing.T) {
	clock := testclock.NewFakeClock(time.Unix(0, 0))
	var all crowds
	c := all.of("pods")
	for range 9 {
		c.enter()
	}
	if !c.pause(t.Context(), clock) {
		t.Fatal("nine were told to end")
	}
	for range 491 {
		c.enter()
	}
	if other := all.of("nodes"); !other.pause(t.Context(), clock) || all.of("pods") != c {
		t.Fatal("tables share a crowd")
	}
	for _, step := range []struct{ size, millis int }{{500, 50}, {5000, 100}} {
		for c.size.Load() < int64(step.size) {
			c.enter()
		}
		done := make(chan bool)
		go func() { done <- c.pause(t.Context(), clock) }()
		for !clock.HasWaiters() {
			runtime.Gosched()
		}
		wait := time.Duration(step.millis) * time.Millisecond
		clock.Step(wait/2 - 1)
		select {
		case <-done:
			t.Fatalf("%d watchers waited less than half of %v", step.size, wait)
		default:
		}
		clock.Step(wait)
		if !<-done {
			t.Fatal("the pause ended the watch")
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if c.pause(ctx, clock) {
		t.Fatal("the watch went on after its request's end")
	}
	for range 5000 {
		c.leave()
	}
	if !c.pause(t.Context(), clock) {
		t.Fatal("who is alone was told to end")
	}
}
