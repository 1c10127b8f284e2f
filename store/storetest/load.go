package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"proa/store"
	"proa/store/index"
)

// testWatchUnderLoad: writers write, the history is short, watchers read, dawdle, break off and resume from any revision
// they have seen. Afterwards every observation is compared with what the writers were told.
func testWatchUnderLoad(t *testing.T, p Place) {
	s := open(t, p, Setup{History: index.Options{Events: 60}})
	seed := Seed(t)
	model := NewModel()
	var writing, watching sync.WaitGroup
	running, stop := context.WithCancel(within(t))
	for id := range 4 {
		w := &Workload{Rand: rand.New(rand.NewPCG(seed.Uint64(), 1)), Name: fmt.Sprint("w", id, "-")}
		writing.Go(func() { write(t, s, w, model, 400) })
	}
	var clients []*watchClient
	for id := range 12 {
		c := &watchClient{store: s, table: Tables[id%len(Tables)], rand: rand.New(rand.NewPCG(seed.Uint64(), 2))}
		clients = append(clients, c)
		watching.Go(func() { c.run(t, running) })
	}
	writing.Wait()
	stop()
	watching.Wait()
	compactions := 0
	for _, c := range clients {
		compactions += c.compactions
		for _, o := range c.observations {
			if err := model.CheckWatch(o); err != nil {
				t.Error(err)
			}
		}
		if got := c.observations[len(c.observations)-1]; got.Progress[len(got.Progress)-1].Revision != model.Last() {
			t.Errorf("a watcher of %s ended at %v, not at %d", c.table, got.Progress[len(got.Progress)-1], model.Last())
		}
	}
	t.Logf("%d commits, %d watches were compacted", model.Last(), compactions)
}

func write(t *testing.T, s store.Store, w *Workload, model *Model, count int) {
	for range count {
		ops := w.Ops()
		rev, err := s.Commit(within(t), ops...)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err == nil {
			err = model.Record(rev, ops...)
		}
		if err != nil {
			t.Error(err)
			return
		}
	}
}

// watchClient follows one table as a client of the API would.
type watchClient struct {
	store        store.Store
	table        string
	rand         *rand.Rand
	observations []Observation
	compactions  int
}

func (c *watchClient) run(t *testing.T, running context.Context) {
	for {
		ended, err := c.follow(running, c.store.Snapshot().Revision())
		if ended || err != nil {
			if err != nil {
				t.Errorf("watch %s: %v", c.table, err)
			}
			return
		}
		c.compactions++ // start over from a new snapshot
	}
}

// follow watches from a revision, breaking off and resuming, until it is compacted (false, nil), or until the writers have
// ended and it has seen everything (true).
func (c *watchClient) follow(running context.Context, from store.Revision) (ended bool, err error) {
	o := Observation{Table: c.table, From: from}
	defer func() { c.observations = append(c.observations, o) }()
	for at := from; ; {
		floor := c.store.Compacted()
		w, err := c.store.Watch(c.table, at)
		if err != nil {
			return false, c.excuse(err, at)
		}
		if at < floor {
			return false, fmt.Errorf("watch from %d accepted with %d compacted", at, floor)
		}
		for range c.rand.IntN(20) + 1 {
			seen := w.Progress()
			events, err := w.Next(running)
			ended = errors.Is(err, context.Canceled)
			if ended {
				err = o.drain(w)
			}
			if err != nil {
				return false, c.excuse(err, seen)
			}
			if ended {
				return true, nil
			}
			o.Note(w, events)
			at = w.Progress()
			if len(events) > 0 && c.rand.IntN(2) == 0 {
				at = events[len(events)-1].Item.Revision // resume from an event rather than a bookmark
			}
		}
	}
}

// excuse accepts ErrCompacted if the revision is indeed compacted by now.
func (c *watchClient) excuse(err error, at store.Revision) error {
	if errors.Is(err, store.ErrCompacted) && at < c.store.Compacted() {
		return nil
	}
	return fmt.Errorf("after %d with %d compacted: %w", at, c.store.Compacted(), err)
}
