package storetest

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"proa/store"
	"proa/store/index"
	"proa/store/pebblelog"
)

// New opens an empty store in memory for the test of another package: the real one, on a file system in memory. It is
// closed when the test ends.
func New(t testing.TB, decode func(*store.Item) any) store.Store {
	t.Helper()
	return inMemory(t, decode, index.Options{})
}

// NewForgetful is New with a history of so few events.
func NewForgetful(t testing.TB, decode func(*store.Item) any, events int) store.Store {
	t.Helper()
	return inMemory(t, decode, index.Options{Events: events})
}

func inMemory(t testing.TB, decode func(*store.Item) any, history index.Options) store.Store {
	t.Helper()
	s, err := pebblelog.Open(pebblelog.Options{Dir: "log", FS: vfs.NewMem(), Decode: decode, History: history})
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	return s
}
