package storetest

import (
	"testing"
	"time"

	"proa/store"
	"proa/store/index"
)

func testRestart(t *testing.T, p Place) {
	clock := NewClock()
	model := NewModel()
	w := &Workload{Rand: Seed(t)}
	setup := Setup{Decode: Decode, Clock: clock.Now, History: index.Options{Age: time.Minute, Events: 200}}
	for range 5 {
		s, err := p(setup)
		must(t, err)
		must(t, model.At(model.Last()).Compare(s.Snapshot(), Tables...))
		if got := s.Snapshot().Revision(); got != model.Last() {
			t.Fatalf("at revision %d after a restart, want %d", got, model.Last())
		}
		checkCompacted(t, s, model, s.Compacted())
		for range 120 {
			clock.Advance(time.Duration(w.Rand.IntN(1000)) * time.Millisecond)
			ops := w.Ops()
			if rev, err := s.Commit(within(t), ops...); err == nil {
				must(t, model.Record(rev, ops...))
			}
		}
		compacted := s.Compacted()
		checkCompacted(t, s, model, compacted)
		must(t, s.Close())
		s, err = p(setup)
		must(t, err)
		if got := s.Compacted(); got > compacted {
			t.Fatalf("a restart lost history: compacted from %d to %d", compacted, got)
		}
		checkCompacted(t, s, model, s.Compacted())
		must(t, s.Close())
	}
}

// testRestartEmptied: revisions are not given out again when nothing that had them is left.
func testRestartEmptied(t *testing.T, p Place) {
	setup := Setup{Decode: Decode, Clock: NewClock().Now, History: index.Options{Events: 1}}
	s, err := p(setup)
	must(t, err)
	commit(t, s, put("pods", "a", "1", "x"))
	for range 5 {
		commit(t, s, remove("pods", "a", "1"))
		commit(t, s, put("pods", "a", "1", "x"))
	}
	last := commit(t, s, remove("pods", "a", "1"))
	must(t, s.Close())
	for range 3 {
		s, err = p(setup)
		must(t, err)
		if got := s.Snapshot().Revision(); got != last {
			t.Fatalf("at revision %d after a restart, want %d", got, last)
		}
		must(t, s.Close())
	}
	s = open(t, p, setup)
	if got := commit(t, s, put("pods", "a", "1", "x")); got != last+1 {
		t.Fatalf("revision %d after a restart, want %d", got, last+1)
	}
	if n := s.Snapshot().Len("pods", store.Key{}.Namespace); n != 1 {
		t.Fatalf("%d pods", n)
	}
}
