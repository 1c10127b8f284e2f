package pebblelog_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"proa/store"
	"proa/store/pebblelog"
	"proa/store/storetest"
)

// TestDiskFails: an error of the disk ends writing, for those that wait and for all later ones; reads and watches go on.
// What was acknowledged is there when the disk works again.
func TestDiskFails(t *testing.T) {
	for _, kind := range []errorfs.OpKind{errorfs.OpFileSyncData, errorfs.OpFileSync, errorfs.OpFileWrite} {
		var broken atomic.Bool
		disk := vfs.NewMem()
		fs := errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if broken.Load() && (op.Kind == kind || op.Kind == errorfs.OpFileSyncData && kind == errorfs.OpFileSync) {
				return errors.New("the disk is on fire")
			}
			return nil
		}))
		var told atomic.Int32
		options := pebblelog.Options{Dir: "log", FS: fs, Decode: storetest.Decode, Logger: slog.New(slog.DiscardHandler),
			Failed: func(error) { told.Add(1) }}
		s, err := pebblelog.Open(options)
		if err != nil {
			t.Fatal(err)
		}
		op := store.Op{Key: store.Key{Table: "pods", Namespace: "a", Name: "1"}, Expect: store.Any, Data: []byte("x")}
		if _, err := s.Commit(context.Background(), op); err != nil {
			t.Fatal(err)
		}
		broken.Store(true)
		for range 3 {
			if _, err := s.Commit(context.Background(), op); !errors.Is(err, store.ErrClosed) {
				t.Fatalf("commit on a broken disk: %v", err)
			}
		}
		if n := told.Load(); n != 1 {
			t.Errorf("the failure was told %d times", n)
		}
		checkReadable(t, s)
		if err := s.Close(); err == nil {
			t.Error("close says nothing of the failure")
		}
		broken.Store(false)
		s, err = pebblelog.Open(options)
		if err != nil {
			t.Fatalf("open after the failure: %v", err)
		}
		if s.Snapshot().Get(op.Key) == nil {
			t.Error("what was acknowledged is gone")
		}
		if _, err := s.Commit(context.Background(), op); err != nil {
			t.Errorf("commit after the failure: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func checkReadable(t *testing.T, s store.Store) {
	t.Helper()
	if s.Snapshot().Revision() != 1 || s.Snapshot().Len("pods", "a") != 1 {
		t.Errorf("the snapshot shows what was not acknowledged: revision %d", s.Snapshot().Revision())
	}
	w, err := s.Watch("pods", 0)
	if err != nil {
		t.Fatalf("watch: %v", err)
	}
	changes, err := storetest.Drain(w)
	if err != nil || len(changes) != 1 {
		t.Errorf("watch: %v, %v", changes, err)
	}
}

// TestOpenFails: a disk that fails while the log is opened gives an error, not the end of the process.
func TestOpenFails(t *testing.T) {
	for index := range int32(40) {
		fs := errorfs.Wrap(vfs.NewMem(), errorfs.OnIndex(index))
		s, err := pebblelog.Open(pebblelog.Options{
			Dir: "log", FS: fs, Decode: storetest.Decode, Logger: slog.New(slog.DiscardHandler),
		})
		if err == nil {
			_ = s.Close() // an operation whose error Pebble can do without, or that comes after Open
		}
	}
}

func TestLocked(t *testing.T) {
	options := pebblelog.Options{Dir: t.TempDir(), Decode: storetest.Decode}
	s, err := pebblelog.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pebblelog.Open(options); err == nil {
		t.Error("opened twice")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := pebblelog.Open(pebblelog.Options{Dir: t.TempDir()}); err == nil {
		t.Error("opened without Decode")
	}
}
