package storetest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"proa/store"
)

func testExpectations(t *testing.T, p Place) {
	s := open(t, p, Setup{})
	first := commit(t, s, put("pods", "a", "there", "1"))
	second := commit(t, s, put("pods", "a", "there", "2"))
	for _, test := range []struct {
		name   string
		key    string
		expect store.Revision
		delete bool
		want   error
	}{
		{"create over something", "there", store.Absent, false, store.ErrExists},
		{"update of an old revision", "there", first, false, store.ErrConflict},
		{"update of a later revision", "there", second + 7, false, store.ErrConflict},
		{"update of nothing", "gone", second, false, store.ErrNotFound},
		{"delete of nothing", "gone", store.Any, true, store.ErrNotFound},
		{"delete of nothing at a revision", "gone", second, true, store.ErrNotFound},
		{"delete of an old revision", "there", first, true, store.ErrConflict},
		{"delete of nothing that is expected absent", "gone", store.Absent, true, store.ErrNotFound},
		{"delete of something that is expected absent", "there", store.Absent, true, store.ErrExists},
	} {
		op := put("pods", "a", test.key, "3")
		op.Expect, op.Delete = test.expect, test.delete
		_, err := s.Commit(within(t), op)
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		} else if !strings.Contains(err.Error(), "pods/a/"+test.key) {
			t.Errorf("%s: error %q does not name the key", test.name, err)
		}
	}
	if rev := s.Snapshot().Revision(); rev != second {
		t.Fatalf("refused commits took revisions: at %d, want %d", rev, second)
	}
	op := put("pods", "a", "there", "3")
	op.Expect = second
	third := commit(t, s, op)
	op.Expect, op.Delete = third, true
	commit(t, s, op)
	op.Expect, op.Delete = store.Absent, false
	again := commit(t, s, op)
	if i := s.Snapshot().Get(op.Key); i.Created != again || i.Revision != again {
		t.Fatalf("created again at %d, item says %d and %d", again, i.Created, i.Revision)
	}
}

func testAtomic(t *testing.T, p Place) {
	s := open(t, p, Setup{})
	model := NewModel()
	ops := []store.Op{put("pods", "a", "2", "x"), put("nodes", "", "1", "y"), put("pods", "a", "1", "z")}
	must(t, model.Record(commit(t, s, ops...), ops...))
	bad := put("nodes", "", "1", "w")
	bad.Expect = store.Absent
	if _, err := s.Commit(within(t), put("pods", "a", "3", "x"), bad, remove("pods", "a", "1")); !errors.Is(err, store.ErrExists) {
		t.Fatalf("commit with one bad op: %v", err)
	}
	must(t, model.At(model.Last()).Compare(s.Snapshot()))
	events := drain(t, s, "pods", 0)
	if got, want := lines(events), lines(model.Changes("pods")); got != want {
		t.Fatalf("events:\n%s\nwant:\n%s", got, want)
	}
}

func testRefused(t *testing.T, p Place) {
	s := open(t, p, Setup{})
	for name, ops := range map[string][]store.Op{
		"no table":         {put("", "a", "b", "")},
		"no name":          {put("pods", "a", "", "")},
		"NUL in table":     {put("po\x00ds", "a", "b", "")},
		"NUL in namespace": {put("pods", "a\x00", "b", "")},
		"NUL in name":      {put("pods", "a", "\x00b", "")},
		"a key twice":      {put("pods", "a", "b", "1"), put("pods", "a", "b", "2")},
	} {
		if _, err := s.Commit(within(t), ops...); err == nil {
			t.Errorf("%s: committed", name)
		}
	}
	if rev, err := s.Commit(within(t)); err != nil || rev != 0 {
		t.Fatalf("empty commit: %d, %v", rev, err)
	}
	if rev := s.Snapshot().Revision(); rev != 0 {
		t.Fatalf("refused commits took revisions: at %d", rev)
	}
}

func testStamp(t *testing.T, p Place) {
	s := open(t, p, Setup{})
	type object struct{ version store.Revision }
	calls := 0
	o := &object{}
	op := put("pods", "a", "1", "x")
	op.Value = o
	op.Stamp = func(r store.Revision) { o.version, calls = r, calls+1 }
	rev := commit(t, s, op)
	if o.version != rev || calls != 1 {
		t.Fatalf("stamped %d times with %d, want once with %d", calls, o.version, rev)
	}
	if v := s.Snapshot().Get(op.Key).Value(); v != any(o) {
		t.Fatalf("value is %v, not the one committed", v)
	}
	op.Expect = store.Absent
	if _, err := s.Commit(within(t), op); err == nil || calls != 1 {
		t.Fatalf("a refused commit was stamped (%d calls, error %v)", calls, err)
	}
}

func testValues(t *testing.T, p Place) {
	s := open(t, p, Setup{})
	rev := commit(t, s, put("pods", "a", "1", "x"))
	i := s.Snapshot().Get(store.Key{Table: "pods", Namespace: "a", Name: "1"})
	if v := i.Value(); v != any(Decoded{rev, "x"}) {
		t.Fatalf("value %v", v)
	}
	encodings := 0
	encode := func(i *store.Item) ([]byte, error) { encodings++; return append([]byte("enc:"), i.Data...), nil }
	for range 2 {
		if b, err := i.Encoded(3, encode); err != nil || string(b) != "enc:x" {
			t.Fatalf("encoded %q, %v", b, err)
		}
	}
	if encodings != 1 {
		t.Fatalf("encoded %d times", encodings)
	}
	if _, err := i.Encoded(2, func(*store.Item) ([]byte, error) { return nil, context.Canceled }); !errors.Is(err, context.Canceled) {
		t.Fatalf("error of encode: %v", err)
	}
	i.Shed()
	if v := i.Value(); v != any(Decoded{rev, "x"}) {
		t.Fatalf("value after Shed %v", v)
	}
	if b, err := i.Encoded(3, encode); err != nil || string(b) != "enc:x" || encodings != 2 {
		t.Fatalf("encoded after Shed %q, %v, %d times", b, err, encodings)
	}
}

func testDeletion(t *testing.T, p Place) {
	s := open(t, p, Setup{})
	model := NewModel()
	last := remove("pods", "a", "2")
	last.Data = []byte("how it ended")
	for _, op := range []store.Op{
		put("pods", "a", "1", "x"), put("pods", "a", "2", "y"), remove("pods", "a", "1"), last, put("pods", "a", "1", "again"),
	} {
		must(t, model.Record(commit(t, s, op), op))
	}
	if got, want := lines(drain(t, s, "pods", 0)), lines(model.Changes("pods")); got != want {
		t.Fatalf("events:\n%s\nwant:\n%s", got, want)
	}
}

// drain returns all changes of a table after rev that are there now.
func drain(t testing.TB, s store.Store, table string, rev store.Revision) []Change {
	t.Helper()
	w, err := s.Watch(table, rev)
	if err != nil {
		t.Fatalf("watch: %v", err)
	}
	changes, err := Drain(w)
	if err != nil {
		t.Fatalf("drain: %v", err)
	}
	return changes
}

// Drain returns what a watcher has to say without waiting.
func Drain(w store.Watcher) ([]Change, error) {
	var changes []Change
	for {
		select {
		case <-w.Ready():
		default:
			return changes, nil
		}
		events, err := w.Next(context.Background())
		if err != nil {
			return changes, err
		}
		for _, e := range events {
			if e.Item.Value() != Decode(e.Item) {
				return changes, errors.New("value of " + e.Item.Key.String() + " is another version's")
			}
			changes = append(changes, ChangeOf(e))
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
