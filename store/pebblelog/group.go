package pebblelog

import (
	"bytes"
	"fmt"
	"time"

	"proa/store"
	"proa/store/index"
)

// group decides what happens to the commits that share one write to the disk: it checks their expectations, one
// after the other as if each were alone, gives out revisions, and collects what is to be written and published.
// It does no I/O and changes nothing outside itself.
type group struct {
	stored  func(store.Key) *store.Item // the published state
	decode  func(*store.Item) any
	at      time.Time
	last    store.Revision
	relaxed bool // all commits so far are

	changed map[store.Key]*store.Item // by earlier commits of the group; nil: deleted
	commits []index.Commit
}

func newGroup(stored func(store.Key) *store.Item, decode func(*store.Item) any, last store.Revision, at time.Time) *group {
	return &group{stored: stored, decode: decode, last: last, at: at, relaxed: true, changed: map[store.Key]*store.Item{}}
}

// get is the item under a key as the next commit of the group finds it.
func (g *group) get(k store.Key) *store.Item {
	if i, ok := g.changed[k]; ok {
		return i
	}
	return g.stored(k)
}

// add appends one commit, or returns why it may not happen, with nothing changed.
func (g *group) add(ops []store.Op) (store.Revision, error) {
	for _, op := range ops {
		if err := expect(op, g.get(op.Key)); err != nil {
			return 0, fmt.Errorf("commit %s: %w", op.Key, err)
		}
	}
	g.last++
	events := make([]store.Event, len(ops))
	for i, op := range ops {
		events[i] = g.event(op)
		g.relaxed = g.relaxed && op.Relaxed
	}
	for _, e := range events {
		if g.changed[e.Item.Key] = e.Item; e.Type == store.Deleted {
			g.changed[e.Item.Key] = nil
		}
	}
	g.commits = append(g.commits, index.Commit{Revision: g.last, At: g.at, Events: events})
	return g.last, nil
}

// expect compares what an op expects with what is stored.
func expect(op store.Op, found *store.Item) error {
	switch {
	case op.Expect == store.Absent && found != nil:
		return store.ErrExists
	case op.Expect > 0 && found == nil, op.Delete && found == nil:
		return store.ErrNotFound
	case op.Expect > 0 && found.Revision != op.Expect:
		return store.ErrConflict
	}
	return nil
}

// event is what op does, at revision g.last.
func (g *group) event(op store.Op) store.Event {
	prev := g.get(op.Key)
	if op.Stamp != nil {
		op.Stamp(g.last)
	}
	e := store.Event{Type: store.Created, Prev: prev}
	created := g.last
	if prev != nil {
		e.Type, created = store.Updated, prev.Created
	}
	if op.Delete {
		e.Type = store.Deleted
		// Usually only the revision differs from what was stored: then both versions share the bytes.
		if op.Data == nil || bytes.Equal(op.Data, prev.Data) {
			op.Data = prev.Data
		}
	}
	e.Item = store.NewItem(op.Key, g.last, created, op.Data, op.Value, g.decode)
	return e
}

// rowOf is how an event is kept.
func rowOf(e store.Event, at time.Time) row {
	r := row{
		key: e.Item.Key, revision: e.Item.Revision, created: e.Item.Created, at: at,
		deleted: e.Type == store.Deleted, data: e.Item.Data,
	}
	r.sameData = r.deleted && bytes.Equal(e.Item.Data, e.Prev.Data)
	return r
}
