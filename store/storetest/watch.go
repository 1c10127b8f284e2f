package storetest

import (
	"context"
	"errors"
	"testing"

	"proa/store"
)

func testWatch(t *testing.T, p Place) {
	s := open(t, p, Setup{})
	model := NewModel()
	w := &Workload{Rand: Seed(t)}
	for range 200 {
		ops := w.Ops()
		if rev, err := s.Commit(within(t), ops...); err == nil {
			must(t, model.Record(rev, ops...))
		}
	}
	for from := store.Revision(0); from <= model.Last(); from++ {
		for _, table := range Tables {
			watcher, err := s.Watch(table, from)
			must(t, err)
			o := Observation{Table: table, From: from}
			must(t, o.drain(watcher))
			must(t, model.CheckWatch(o))
			if got := watcher.Progress(); got != model.Last() {
				t.Fatalf("progress of %s after all events is %d, want %d", table, got, model.Last())
			}
		}
	}
	if _, err := s.Watch("pods", model.Last()+1); !errors.Is(err, store.ErrFuture) {
		t.Fatalf("watch from the future: %v", err)
	}
}

func testWatchReady(t *testing.T, p Place) {
	s := open(t, p, Setup{})
	w, err := s.Watch("pods", 0)
	must(t, err)
	isReady := func() bool {
		select {
		case <-w.Ready():
			return true
		default:
			return false
		}
	}
	commit(t, s, put("nodes", "", "1", "x"))
	if isReady() {
		t.Fatal("ready by another table's change")
	}
	ctx, cancel := context.WithCancel(within(t))
	cancel()
	if _, err := w.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("next with an ended context: %v", err)
	}
	ready := w.Ready()
	commit(t, s, put("pods", "a", "1", "x"))
	<-ready
	if !isReady() {
		t.Fatal("not ready though there is an event")
	}
	events, err := w.Next(ctx) // it need not wait, so the ended context does not matter
	if err != nil || len(events) != 1 || isReady() {
		t.Fatalf("next: %d events, %v, ready again: %v", len(events), err, isReady())
	}
	waiting := make(chan int)
	go func() {
		events, _ := w.Next(within(t))
		waiting <- len(events)
	}()
	commit(t, s, put("pods", "a", "1", "y"))
	if n := <-waiting; n != 1 {
		t.Fatalf("woken with %d events", n)
	}
}

func testProgress(t *testing.T, p Place) {
	s := open(t, p, Setup{})
	w, err := s.Watch("pods", 0)
	must(t, err)
	commit(t, s, put("nodes", "", "1", "x"))
	if got := w.Progress(); got != 1 {
		t.Fatalf("progress %d after another table's change, want 1", got)
	}
	commit(t, s, put("pods", "a", "1", "x"))
	commit(t, s, put("nodes", "", "1", "y"))
	if got := w.Progress(); got != 1 {
		t.Fatalf("progress %d with an event at 2 not yet returned, want 1", got)
	}
	if _, err := w.Next(within(t)); err != nil {
		t.Fatal(err)
	}
	if got := w.Progress(); got != 3 {
		t.Fatalf("progress %d after all events, want 3", got)
	}
}

func testWaitFor(t *testing.T, p Place) {
	s := open(t, p, Setup{})
	must(t, s.WaitFor(within(t), 0))
	ctx, cancel := context.WithCancel(within(t))
	done := make(chan error)
	go func() { done <- s.WaitFor(ctx, 99) }()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatalf("wait with an ended context: %v", err)
	}
	go func() { done <- s.WaitFor(within(t), 3) }()
	for range 3 {
		commit(t, s, put("pods", "a", "1", "x"))
	}
	must(t, <-done)
}

func testClosed(t *testing.T, p Place) {
	s, err := p(Setup{Decode: Decode, Clock: NewClock().Now})
	must(t, err)
	commit(t, s, put("pods", "a", "1", "x"))
	idle, err := s.Watch("nodes", 0)
	must(t, err)
	ended := make(chan error, 2)
	go func() {
		_, err := idle.Next(within(t))
		ended <- err
	}()
	go func() { ended <- s.WaitFor(within(t), 99) }()
	snapshot := s.Snapshot()
	must(t, s.Close())
	for range 2 {
		if err := <-ended; !errors.Is(err, store.ErrClosed) {
			t.Errorf("waiting while the store was closed: %v", err)
		}
	}
	must(t, s.Close())
	<-idle.Ready()
	if _, err := s.Commit(within(t), put("pods", "a", "1", "y")); !errors.Is(err, store.ErrClosed) {
		t.Errorf("commit: %v", err)
	}
	if _, err := s.Watch("pods", 1); !errors.Is(err, store.ErrClosed) {
		t.Errorf("watch: %v", err)
	}
	if snapshot.Len("pods", "") != 1 || s.Snapshot().Len("pods", "") != 1 {
		t.Error("snapshots are not readable any more")
	}
}

// testCancelled: a caller that leaves leaves nothing behind that would disturb others, and its commit is whole or absent.
func testCancelled(t *testing.T, p Place) {
	s := open(t, p, Setup{})
	ctx, cancel := context.WithCancel(within(t))
	cancel()
	for range 20 {
		_, err := s.Commit(ctx, put("pods", "a", "1", "x"), put("nodes", "", "1", "x"))
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatalf("commit: %v", err)
		}
	}
	commit(t, s, put("pods", "a", "2", "x"))
	snapshot := s.Snapshot()
	pod := snapshot.Get(store.Key{Table: "pods", Namespace: "a", Name: "1"})
	node := snapshot.Get(store.Key{Table: "nodes", Name: "1"})
	if (pod == nil) != (node == nil) || pod != nil && pod.Revision != node.Revision {
		t.Fatalf("half a commit: %s and %s", VersionOf(pod), VersionOf(node))
	}
}
