package pebblelog

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"proa/internal/growth"
	"proa/store"
)

func plain(b []byte) string { return string(b) }

func TestRow(t *testing.T) {
	for _, want := range []row{
		{key: store.Key{Table: "nodes", Name: "a"}, revision: 1, created: 1, at: time.UnixMilli(1), data: []byte{}},
		{key: store.Key{Table: "pods", Namespace: "n", Name: "a"}, revision: 1 << 40, created: 300, at: time.UnixMilli(1 << 41), data: []byte("\x00x")},
		{key: store.Key{Table: "pods", Namespace: "n", Name: "a"}, revision: 9, created: 3, at: time.UnixMilli(5), deleted: true, data: []byte("x")},
		{key: store.Key{Table: "pods", Namespace: "n", Name: "a"}, revision: 9, created: 3, at: time.UnixMilli(5), deleted: true, sameData: true, data: []byte{}},
	} {
		got, err := parseRow(appendKey(nil, want.revision, want.key), appendValue(nil, want), plain)
		if want.data = append([]byte{}, want.data...); err != nil || !sameRow(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
}

func sameRow(a, b row) bool {
	same := bytes.Equal(a.data, b.data)
	a.data, b.data = nil, nil
	return same && reflect.DeepEqual(a, b)
}

// TestRowOrder: rows are scanned in order of revision.
func TestRowOrder(t *testing.T) {
	k := store.Key{Table: "pods", Namespace: "n", Name: "a"}
	var last []byte
	for _, rev := range []store.Revision{1, 2, 255, 256, 1 << 20, 1 << 40} {
		key := appendKey(nil, rev, k)
		if bytes.Compare(last, key) >= 0 {
			t.Errorf("row of revision %d does not sort after the one before", rev)
		}
		last = key
	}
}

// FuzzRow: whatever is on disk is either refused or means exactly one row, which is written the same way again.
func FuzzRow(f *testing.F) {
	k := store.Key{Table: "pods", Namespace: "n", Name: "a"}
	for _, r := range []row{
		{key: k, revision: 7, created: 7, at: time.UnixMilli(12345), data: []byte("data")},
		{key: k, revision: 7, created: 2, at: time.UnixMilli(1), deleted: true, sameData: true},
	} {
		f.Add(appendKey(nil, r.revision, r.key), appendValue(nil, r))
	}
	f.Add([]byte("r12345678pods"), []byte{0xff})
	var grown growth.Watch
	f.Fuzz(func(t *testing.T, key, value []byte) {
		grown.Tried(t)
		r, err := parseRow(key, value, plain)
		if err != nil {
			return
		}
		if again := appendKey(nil, r.revision, r.key); !bytes.Equal(again, key) {
			t.Fatalf("key %q is written again as %q", key, again)
		}
		second, err := parseRow(key, appendValue(nil, r), plain)
		if err != nil || !sameRow(r, second) {
			t.Fatalf("%+v is read again as %+v, %v", r, second, err)
		}
	})
}
