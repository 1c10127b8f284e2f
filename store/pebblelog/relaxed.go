package pebblelog

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// relaxedFS lets the committer write a batch to the log's file without waiting for the disk.
//
// Pebble's own way, NoSync, returns while the batch is still in Pebble's memory: a killed process would lose it. Asking
// for a sync makes Pebble write the file first; so we always ask, and while relax is in force the sync itself is
// left out here. The next sync of the file covers what was left out, since it covers the whole file.
//
// One thing must not happen: a later log file that exists while the end of an earlier one is missing. Pebble closes
// the earlier file before it starts the next, so a sync left out is made up for in Close.
//
// What a power failure then takes is a tail of relaxed commits, whose revisions clients have seen. They must never be given
// out again with another meaning, so revisions up to a floor are reserved on disk beforehand, and Open continues after the floor.
//
// It also keeps hold of Pebble's lock on the directory, which a Pebble that failed would otherwise hold for good.
type relaxedFS struct {
	vfs.FS
	on   atomic.Bool
	lock atomic.Pointer[directoryLock]
}

func newRelaxedFS(fs vfs.FS) *relaxedFS { return &relaxedFS{FS: fs} }

// relax is in force until the function that it returns is called. Only the committer uses it, around one batch.
func (r *relaxedFS) relax() (done func()) {
	r.on.Store(true)
	return func() { r.on.Store(false) }
}

// Lock is called once, by Pebble's Open.
func (r *relaxedFS) Lock(name string) (io.Closer, error) {
	c, err := r.FS.Lock(name)
	if err != nil {
		return nil, fmt.Errorf("lock %s (is another server running?): %w", name, err)
	}
	l := &directoryLock{closer: c}
	r.lock.Store(l)
	return l, nil
}

// release gives up the lock if Pebble has not done so.
func (r *relaxedFS) release() error {
	if l := r.lock.Load(); l != nil {
		return l.Close()
	}
	return nil
}

// directoryLock is a lock that may be given up twice.
type directoryLock struct {
	once   sync.Once
	closer io.Closer
}

func (l *directoryLock) Close() (err error) {
	l.once.Do(func() { err = l.closer.Close() })
	return err
}

// Unwrap is for vfs.Root.
func (r *relaxedFS) Unwrap() vfs.FS { return r.FS }

// Create also makes sure that a marker, which names the manifest to read, never outlives the manifest's own place in the
// directory: Pebble syncs the directory after it has made both, and a power failure may keep one of them.
func (r *relaxedFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.HasPrefix(r.PathBase(name), "marker.") {
		if err := r.syncDir(r.PathDir(name)); err != nil {
			return nil, err
		}
	}
	f, err := r.FS.Create(name, category)
	return r.wrap(name, f, err)
}

// makeDir makes a directory that a power failure does not take back: its parents too, each synced. Others cannot look
// inside: the objects of the cluster are there, secrets among them.
func (r *relaxedFS) makeDir(name string) error {
	parent := r.PathDir(name)
	if _, err := r.Stat(name); err != nil {
		if parent != name {
			if err := r.makeDir(parent); err != nil {
				return err
			}
		}
		if err := r.MkdirAll(name, 0o700); err != nil {
			return err
		}
	}
	return r.syncDir(parent)
}

func (r *relaxedFS) syncDir(name string) error {
	dir, err := r.OpenDir(name)
	if err != nil {
		return fmt.Errorf("open directory: %w", err)
	}
	if err := dir.Sync(); err != nil {
		return errors.Join(fmt.Errorf("sync directory: %w", err), dir.Close())
	}
	return dir.Close()
}

func (r *relaxedFS) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := r.FS.ReuseForWrite(old, name, category)
	return r.wrap(name, f, err)
}

func (r *relaxedFS) wrap(name string, f vfs.File, err error) (vfs.File, error) {
	if err != nil || !strings.HasSuffix(name, ".log") {
		return f, err
	}
	return &relaxedFile{File: f, fs: r}, nil
}

// relaxedFile is a file of Pebble's write-ahead log.
type relaxedFile struct {
	vfs.File
	fs   *relaxedFS
	owed atomic.Bool // a sync was left out and none has followed
}

func (f *relaxedFile) sync(do func() error) error {
	if f.fs.on.Load() {
		f.owed.Store(true)
		return nil
	}
	if err := do(); err != nil {
		return err
	}
	f.owed.Store(false)
	return nil
}

func (f *relaxedFile) Sync() error     { return f.sync(f.File.Sync) }
func (f *relaxedFile) SyncData() error { return f.sync(f.File.SyncData) }

func (f *relaxedFile) SyncTo(length int64) (bool, error) {
	if f.fs.on.Load() {
		f.owed.Store(true)
		return false, nil
	}
	return f.File.SyncTo(length)
}

func (f *relaxedFile) Close() error {
	if f.owed.Load() {
		if err := f.File.SyncData(); err != nil {
			_ = f.File.Close() // the first error is the one that matters
			return err
		}
	}
	return f.File.Close()
}

var _ vfs.FS = (*relaxedFS)(nil)
