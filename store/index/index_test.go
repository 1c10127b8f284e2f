package index_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"proa/store"
	"proa/store/index"
)

func item(name string, rev store.Revision) *store.Item {
	return store.NewItem(store.Key{Table: "pods", Namespace: "a", Name: name}, rev, rev, []byte(name), nil, nil)
}

// TestLoad: a log hands over a state and goes on from its revision, which need not be the newest of an item.
func TestLoad(t *testing.T) {
	x := index.New(index.Options{})
	x.Load(100, func(yield func(*store.Item) bool) {
		_ = yield(item("b", 7)) && yield(item("a", 90))
	})
	if x.Revision() != 100 || x.Compacted() != 100 || x.Snapshot().Len("pods", "a") != 2 {
		t.Fatalf("loaded %d items at %d, compacted %d", x.Snapshot().Len("pods", "a"), x.Revision(), x.Compacted())
	}
	if _, err := x.Watch("pods", 99); !errors.Is(err, store.ErrCompacted) {
		t.Fatalf("watch from before the load: %v", err)
	}
	w, err := x.Watch("pods", 100)
	if err != nil {
		t.Fatal(err)
	}
	x.Publish(index.Commit{Revision: 150, At: time.Unix(0, 0)}) // nothing of ours changed, as with etcd's own keys
	if w.Progress() != 150 {
		t.Fatalf("progress %d after a revision without events", w.Progress())
	}
	x.Publish(index.Commit{Revision: 151, At: time.Unix(0, 0), Events: []store.Event{
		{Type: store.Updated, Item: item("b", 151), Prev: x.Get(item("b", 0).Key)},
	}})
	for rev, want := range map[store.Revision]store.Revision{100: 7, 149: 7, 150: 7, 151: 151} {
		s, err := x.SnapshotAt(rev)
		if err != nil || s.Get(item("b", 0).Key).Revision != want {
			t.Errorf("at %d: %v, want the version of %d", rev, err, want)
		}
	}
	if events, err := w.Next(context.Background()); err != nil || len(events) != 1 {
		t.Errorf("next: %v, %v", events, err)
	}
}

// TestShed: superseded versions lose their decoded forms after a while, the current one keeps them.
func TestShed(t *testing.T) {
	decoded := 0
	version := func(rev store.Revision) *store.Item {
		return store.NewItem(store.Key{Table: "pods", Name: "a"}, rev, 1, nil, nil, func(*store.Item) any { decoded++; return rev })
	}
	x := index.New(index.Options{})
	first, second := version(1), version(2)
	x.Publish(index.Commit{Revision: 1, At: time.Unix(0, 0), Events: []store.Event{{Type: store.Created, Item: first}}})
	x.Publish(index.Commit{Revision: 2, At: time.Unix(1, 0), Events: []store.Event{{Type: store.Updated, Item: second, Prev: first}}})
	first.Value()
	second.Value()
	x.Trim(time.Unix(1, 1e8))
	first.Value()
	if decoded != 2 {
		t.Fatalf("decoded %d times: shed too early", decoded)
	}
	x.Trim(time.Unix(60, 0))
	second.Value()
	if decoded != 2 {
		t.Fatalf("decoded %d times: the current version was shed", decoded)
	}
	if first.Value() != any(store.Revision(1)) || decoded != 3 {
		t.Fatalf("decoded %d times: the superseded version was not shed", decoded)
	}
}

// TestShedQuiet: it needs no commit.
func TestShedQuiet(t *testing.T) {
	decoded := 0
	version := func(rev store.Revision) *store.Item {
		return store.NewItem(store.Key{Table: "pods", Name: "a"}, rev, 1, nil, nil, func(*store.Item) any { decoded++; return rev })
	}
	x := index.New(index.Options{})
	first := version(1)
	x.Publish(index.Commit{Revision: 1, At: time.Unix(0, 0), Events: []store.Event{{Type: store.Created, Item: first}}})
	x.Publish(index.Commit{Revision: 2, At: time.Unix(0, 0), Events: []store.Event{{Type: store.Updated, Item: version(2), Prev: first}}})
	first.Value()
	if left := x.Shed(time.Unix(0, 1e8)); !left {
		t.Error("nothing is left to shed after a tenth of a second")
	}
	if left := x.Shed(time.Unix(60, 0)); left {
		t.Error("something is left to shed after a minute")
	}
	first.Value()
	if decoded != 2 {
		t.Errorf("decoded %d times", decoded)
	}
}
