// Package storetest is the suite that every implementation of store.Store passes, and a store for other packages' tests.
//
// It decides what the contract in package store means in practice: each method and error, linearizability, the watch
// contract under load, what a restart keeps. It owns no state; tests of implementations call Run. Faults of one
// implementation's own medium, such as a disk that is cut at a sync, are tested beside that implementation, with the
// Model and the Checker from here.
//
// Whatever is random prints its seed when a test fails; STORETEST_SEED repeats it.
package storetest

import (
	"context"
	"math/rand/v2"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"proa/store"
	"proa/store/index"
)

// Setup is what a test asks of the store that it opens.
type Setup struct {
	Clock   func() time.Time
	Decode  func(*store.Item) any
	History index.Options
}

// Place is where a store lives. Opening it again, after Close, finds what was there.
type Place func(Setup) (store.Store, error)

// Run runs the suite; fresh makes an empty place.
func Run(t *testing.T, fresh func(testing.TB) Place) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Place)
	}{
		{"Expectations", testExpectations},
		{"Atomic", testAtomic},
		{"Refused", testRefused},
		{"Stamp", testStamp},
		{"Values", testValues},
		{"Deletion", testDeletion},
		{"List", testList},
		{"Reads", testReads},
		{"Watch", testWatch},
		{"WatchReady", testWatchReady},
		{"Progress", testProgress},
		{"WaitFor", testWaitFor},
		{"HistoryAge", testHistoryAge},
		{"HistoryEvents", testHistoryEvents},
		{"HistoryBytes", testHistoryBytes},
		{"SlowWatcher", testSlowWatcher},
		{"QuietWatcher", testQuietWatcher},
		{"Closed", testClosed},
		{"Cancelled", testCancelled},
		{"Restart", testRestart},
		{"RestartEmptied", testRestartEmptied},
		{"Linearizable", testLinearizable},
		{"WatchUnderLoad", testWatchUnderLoad},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, fresh(t)) })
	}
}

// Decoded is the Value that Decode makes in tests: it proves which version it was made from.
type Decoded struct {
	Revision store.Revision
	Data     string
}

// Decode makes a Decoded.
func Decode(i *store.Item) any { return Decoded{Revision: i.Revision, Data: string(i.Data)} }

// Clock is a clock that stands still until it is moved.
type Clock struct{ nanos atomic.Int64 }

// NewClock starts at a fixed time.
func NewClock() *Clock {
	c := &Clock{}
	c.nanos.Store(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano())
	return c
}

// Now is the time.
func (c *Clock) Now() time.Time { return time.Unix(0, c.nanos.Load()) }

// Advance moves the clock.
func (c *Clock) Advance(d time.Duration) { c.nanos.Add(int64(d)) }

// Seed is STORETEST_SEED or a new one; it is printed if the test fails.
func Seed(t testing.TB) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("STORETEST_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("parse STORETEST_SEED: %v", err)
		}
	}
	t.Logf("STORETEST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, seed))
}

// open opens a place for a test that does not close it itself.
func open(t testing.TB, p Place, s Setup) store.Store {
	t.Helper()
	if s.Decode == nil {
		s.Decode = Decode
	}
	if s.Clock == nil {
		s.Clock = NewClock().Now
	}
	opened, err := p(s)
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	return opened
}

// within bounds waits that would otherwise hang a broken store's test; nothing depends on how long it is.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// put is an op that stores data whatever is there.
func put(table, namespace, name, data string) store.Op {
	return store.Op{Key: store.Key{Table: table, Namespace: namespace, Name: name}, Expect: store.Any, Data: []byte(data)}
}

// remove is an op that deletes whatever is there.
func remove(table, namespace, name string) store.Op {
	return store.Op{Key: store.Key{Table: table, Namespace: namespace, Name: name}, Expect: store.Any, Delete: true}
}

func commit(t testing.TB, s store.Store, ops ...store.Op) store.Revision {
	t.Helper()
	rev, err := s.Commit(within(t), ops...)
	if err != nil {
		t.Fatalf("commit: %v", err)
	}
	return rev
}
