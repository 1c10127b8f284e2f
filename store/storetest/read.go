package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"proa/store"
)

func testList(t *testing.T, p Place) {
	s := open(t, p, Setup{})
	model := NewModel()
	var ops []store.Op
	// Neighbouring names, a namespace that begins like another, a table that begins like another, and no namespace.
	for _, namespace := range []string{"", "a", "a-b", "aa", "b"} {
		for i := range 40 {
			ops = append(ops, put("pods", namespace, fmt.Sprintf("n%d", i), "x"), put("pods.metrics", namespace, fmt.Sprintf("n%d", i), "y"))
		}
	}
	must(t, model.Record(commit(t, s, ops...), ops...))
	state, snapshot := model.At(1), s.Snapshot()
	for _, namespace := range []string{"", "a", "a-b", "aa", "b", "c", "\x01"} {
		if got, want := snapshot.Len("pods", namespace), len(state.list("pods", namespace, store.Key{})); got != want {
			t.Errorf("length of namespace %q is %d, want %d", namespace, got, want)
		}
		for _, after := range []store.Key{
			{}, {Namespace: "a"}, {Namespace: "a", Name: "n3"}, {Namespace: "a", Name: "n30"}, {Namespace: "a", Name: "nothing"},
			{Namespace: "a", Name: "zzz"}, {Namespace: "aa", Name: "n39"}, {Name: "n5"}, {Namespace: "zzz"},
		} {
			var got []*Version
			for i := range snapshot.List("pods", namespace, after) {
				got = append(got, VersionOf(i))
			}
			if want := state.list("pods", namespace, after); lines(got) != lines(want) {
				t.Errorf("list of %q after %q:\n%s\nwant:\n%s", namespace, after, lines(got), lines(want))
			}
		}
	}
	taken := 0
	for range snapshot.List("pods", "", store.Key{}) {
		if taken++; taken == 3 {
			break
		}
	}
	if snapshot.Len("nothing", "") != 0 || snapshot.Get(store.Key{Table: "nothing", Name: "x"}) != nil {
		t.Error("a table that does not exist holds something")
	}
}

// Tables are those that a workload writes.
var Tables = []string{"pods", "nodes", "leases"}

// Workload makes random ops on few keys, one or some at a time. One goroutine uses it.
type Workload struct {
	Rand  *rand.Rand
	Name  string // makes its data differ from that of others
	count int
}

// Ops are those of one commit. It may fail with ErrNotFound, and with nothing else.
func (w *Workload) Ops() []store.Op {
	var ops []store.Op
	for range 1 + w.Rand.IntN(3)*w.Rand.IntN(2) {
		w.count++
		op := put(Tables[w.Rand.IntN(len(Tables))], fmt.Sprint("ns", w.Rand.IntN(3)),
			fmt.Sprint("n", w.Rand.IntN(12)), fmt.Sprint(w.Name, w.count))
		op.Delete = w.Rand.IntN(4) == 0
		if op.Delete && w.Rand.IntN(2) == 0 { // otherwise the last version says something new
			op.Data = nil
		}
		op.Relaxed = op.Key.Table == "leases"
		if !slices.ContainsFunc(ops, func(o store.Op) bool { return o.Key == op.Key }) {
			ops = append(ops, op)
		}
	}
	return ops
}

func testReads(t *testing.T, p Place) {
	s := open(t, p, Setup{})
	model := NewModel()
	w := &Workload{Rand: Seed(t)}
	held := map[store.Revision]store.Snapshot{0: s.Snapshot()}
	for range 600 {
		ops := w.Ops()
		rev, err := s.Commit(within(t), ops...)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		must(t, err)
		must(t, model.Record(rev, ops...))
		if w.Rand.IntN(10) == 0 {
			held[rev] = s.Snapshot()
		}
	}
	changes := changes{}
	for rev := store.Revision(0); rev <= model.Last(); rev += 7 {
		snapshot, err := s.SnapshotAt(rev)
		must(t, err)
		if snapshot.Revision() != rev {
			t.Fatalf("snapshot at %d says %d", rev, snapshot.Revision())
		}
		must(t, model.At(rev).Compare(snapshot, Tables...))
		must(t, changes.check(model.At(rev), snapshot))
		for key, v := range model.At(rev) {
			if got := VersionOf(snapshot.Get(key)); got.String() != v.String() {
				t.Fatalf("get at %d: %s, want %s", rev, got, v)
			}
			if got, want := snapshot.Len(key.Table, key.Namespace), len(model.At(rev).list(key.Table, key.Namespace, store.Key{})); got != want {
				t.Fatalf("length of %s in %s at %d: %d, want %d", key.Table, key.Namespace, rev, got, want)
			}
			break
		}
	}
	for rev, snapshot := range held {
		must(t, model.At(rev).Compare(snapshot, Tables...))
		must(t, changes.check(model.At(rev), snapshot))
	}
	if _, err := s.SnapshotAt(model.Last() + 1); !errors.Is(err, store.ErrFuture) {
		t.Fatalf("snapshot of the future: %v", err)
	}
}

// changes remembers what tables held when Snapshot.Changed gave a revision: it must always be the same.
type changes map[string]string

func (c changes) check(state State, snapshot store.Snapshot) error {
	for _, table := range Tables {
		rev, held := snapshot.Changed(table), lines(state.list(table, "", store.Key{}))
		if rev > snapshot.Revision() {
			return fmt.Errorf("snapshot at %d says that %s changed at %d", snapshot.Revision(), table, rev)
		}
		at := fmt.Sprint(table, " ", rev)
		if was, seen := c[at]; seen && was != held {
			return fmt.Errorf("%s changed at %d, and holds\n%s\nor\n%s", table, rev, was, held)
		}
		c[at] = held
	}
	return nil
}
