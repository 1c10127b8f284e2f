package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"proa/store"
	"proa/store/index"
)

// checkCompacted says whether exactly the revisions from Compacted on are accepted.
func checkCompacted(t *testing.T, s store.Store, model *Model, want store.Revision) {
	t.Helper()
	if got := s.Compacted(); got != want {
		t.Fatalf("compacted %d, want %d", got, want)
	}
	for rev := store.Revision(0); rev <= model.Last(); rev++ {
		snapshot, err := s.SnapshotAt(rev)
		_, watchErr := s.Watch("pods", rev)
		if rev < want {
			if !errors.Is(err, store.ErrCompacted) || !errors.Is(watchErr, store.ErrCompacted) {
				t.Fatalf("revision %d with %d compacted: %v, %v", rev, want, err, watchErr)
			}
			continue
		}
		must(t, err)
		must(t, watchErr)
		must(t, model.At(rev).Compare(snapshot, Tables...))
		o := Observation{Table: "pods", From: rev, Changes: drain(t, s, "pods", rev)}
		must(t, model.CheckWatch(o))
	}
}

func testHistoryAge(t *testing.T, p Place) {
	clock := NewClock()
	s := open(t, p, Setup{Clock: clock.Now, History: index.Options{Age: time.Minute}})
	model := NewModel()
	step := func(op ...store.Op) {
		must(t, model.Record(commit(t, s, op...), op...))
		clock.Advance(20 * time.Second)
	}
	step(put("pods", "a", "1", "x"), put("pods", "a", "2", "x")) // revision 1, at 0 s
	step(put("pods", "a", "1", "y"))                             // 20 s
	step(remove("pods", "a", "1"))                               // 40 s
	step(put("pods", "a", "1", "z"))                             // 60 s
	checkCompacted(t, s, model, 0)                               // exactly a minute is not too old
	step(put("nodes", "", "1", "x"))                             // 80 s: revision 1 has gone
	checkCompacted(t, s, model, 1)
	clock.Advance(time.Hour)
	checkCompacted(t, s, model, 1) // without commits nothing is let go
	step(put("nodes", "", "1", "y"))
	checkCompacted(t, s, model, 5)
}

func testHistoryEvents(t *testing.T, p Place) {
	s := open(t, p, Setup{History: index.Options{Events: 10}})
	model := NewModel()
	for i := range 30 {
		ops := []store.Op{put("pods", "a", "1", fmt.Sprint(i)), put("nodes", "", "1", fmt.Sprint(i)), put("leases", "", "1", "x")}
		must(t, model.Record(commit(t, s, ops...), ops...))
	}
	// Before the 30th commit 27 to 29 fitted; now there are four commits of three, and the next commit lets one go.
	checkCompacted(t, s, model, 26)
}

func testHistoryBytes(t *testing.T, p Place) {
	s := open(t, p, Setup{History: index.Options{Bytes: 100_000}})
	model := NewModel()
	for i := range 20 {
		op := put("pods", "a", "1", strings.Repeat(fmt.Sprint(i%10), 20_000))
		must(t, model.Record(commit(t, s, op), op))
	}
	held := model.Last() - s.Compacted()
	if held < 4 || held > 6 {
		t.Fatalf("history holds %d versions of 20 kB, bounded to 100 kB and the newest commit", held)
	}
	checkCompacted(t, s, model, s.Compacted())
}

// testSlowWatcher: one that is not read costs nothing and is told when it has lost events; it never skips some.
func testSlowWatcher(t *testing.T, p Place) {
	s := open(t, p, Setup{History: index.Options{Events: 10}})
	w, err := s.Watch("pods", 0)
	must(t, err)
	for range 10 {
		commit(t, s, put("pods", "a", "1", "x"))
	}
	events, err := w.Next(within(t))
	if err != nil || len(events) != 10 {
		t.Fatalf("at the edge of the history: %d events, %v", len(events), err)
	}
	for range 12 {
		commit(t, s, put("pods", "a", "1", "y"))
	}
	before := w.Progress()
	if events, err := w.Next(within(t)); !errors.Is(err, store.ErrCompacted) {
		t.Fatalf("beyond the history: %d events, %v", len(events), err)
	}
	if before != 10 || w.Progress() != 10 {
		t.Fatalf("progress went to %d, then %d, with no event returned since 10", before, w.Progress())
	}
	select {
	case <-w.Ready():
	default:
		t.Fatal("not ready, though Next fails at once")
	}
}

// testQuietWatcher: one whose table does not change misses nothing, however much else is compacted.
func testQuietWatcher(t *testing.T, p Place) {
	s := open(t, p, Setup{History: index.Options{Events: 10}})
	commit(t, s, put("nodes", "", "1", "x"))
	seen, err := s.Watch("nodes", 1)
	must(t, err)
	never, err := s.Watch("secrets", 0)
	must(t, err)
	for range 50 {
		commit(t, s, put("pods", "a", "1", "x"))
	}
	if got := never.Progress(); got != 51 {
		t.Fatalf("progress %d, want 51", got)
	}
	commit(t, s, put("nodes", "", "1", "y"), put("secrets", "a", "1", "x"))
	for _, w := range []store.Watcher{seen, never} {
		events, err := w.Next(within(t))
		if err != nil || len(events) != 1 || events[0].Item.Revision != 52 {
			t.Fatalf("after a quiet time: %v, %v", events, err)
		}
	}
}
