package pebblelog_test

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"proa/store"
	"proa/store/pebblelog"
	"proa/store/storetest"
)

func openOn(fs vfs.FS, dir string) storetest.Place {
	return func(s storetest.Setup) (store.Store, error) {
		return pebblelog.Open(pebblelog.Options{Dir: dir, FS: fs, Clock: s.Clock, Decode: s.Decode, History: s.History})
	}
}

func TestInMemory(t *testing.T) {
	storetest.Run(t, func(testing.TB) storetest.Place { return openOn(vfs.NewMem(), "log") })
}

func TestOnDisk(t *testing.T) {
	storetest.Run(t, func(t testing.TB) storetest.Place { return openOn(vfs.Default, t.TempDir()) })
}
