// Package pebblelog is the store of one machine: a durable log in Pebble under the index in memory.
//
// It decides which commits may happen and in which order, and owns the files in its directory. The daemon
// opens it for the API server; nobody else writes. All reads are the index's. When the disk fails, commits under way
// and all later ones return ErrClosed, and reads and watches go on; the process is then restarted by whoever looks after it.
package pebblelog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"proa/store"
	"proa/store/index"
)

// Log is a store.Store on one machine's disk.
//
// One goroutine, the committer, does all writing. It takes every commit that waits, checks them in turn against
// the published state and each other, writes the rows of all in one batch with one sync, publishes them together, and
// answers. While it waits for the disk the next group gathers, so the slower the disk, the larger the groups.
//
// Roads not taken. Pebble has a commit pipeline of its own that would group the batches of concurrent callers; but
// expectations must be checked, revisions given out and events published in one order, so callers would have to take
// turns anyway, and a failed sync would leave later callers with checks made against a state that never came to be.
// Publishing before the sync, and acknowledging after it, would let readers see what a power failure takes back, which a
// watcher cannot unsee. Two groups in flight at once (one syncing, one applied) was left out: with one core busy encoding and one
// serving, the disk is not what limits a single machine; see the benchmark.
type Log struct {
	options Options
	index   *index.Index
	db      *pebble.DB
	files   *relaxedFS

	queue   queue
	stopped chan struct{} // closed when the committer has ended
	failure failure
	ending  sync.Once

	// Only the committer touches these.
	floor   store.Revision // the "floor" row on disk
	garbage [][]byte       // rows to delete with the next batch
}

var _ store.Store = (*Log)(nil)

// Open reads the log in a directory, or starts one, and is ready to serve when it returns.
func Open(o Options) (store.Store, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	l := &Log{
		options: o,
		index:   index.New(o.History),
		files:   newRelaxedFS(o.FS),
		queue:   queue{wake: make(chan struct{}, 1)},
		stopped: make(chan struct{}),
		failure: failure{happened: make(chan struct{}), tell: o.Failed},
	}
	if err := l.files.makeDir(o.Dir); err != nil {
		return nil, fmt.Errorf("make log directory: %w", err)
	}
	if err := l.open(); err != nil {
		return nil, errors.Join(err, l.files.release())
	}
	go l.run()
	return l, nil
}

func (l *Log) open() error {
	err := guard(func() (err error) {
		l.db, err = pebble.Open(l.options.Dir, l.pebbleOptions())
		return err
	})
	if err != nil {
		return fmt.Errorf("open log %s: %w", l.options.Dir, err)
	}
	start := time.Now()
	if err := l.recover(); err != nil {
		return errors.Join(fmt.Errorf("read log %s: %w", l.options.Dir, err), guard(l.db.Close))
	}
	l.options.Logger.Debug("log opened", "dir", l.options.Dir, "revision", l.index.Revision(),
		"compacted", l.index.Compacted(), "took", time.Since(start))
	return nil
}

// Commit hands ops to the committer and waits for its answer.
func (l *Log) Commit(ctx context.Context, ops ...store.Op) (store.Revision, error) {
	if len(ops) == 0 {
		return l.index.Revision(), nil
	}
	if err := checkOps(ops); err != nil {
		return 0, err
	}
	r := &request{ops: ops, answer: make(chan answer, 1)}
	if !l.queue.add(r) {
		return 0, l.closedError()
	}
	select {
	case a := <-r.answer:
		return a.revision, a.err
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-l.failure.happened:
	case <-l.stopped:
	}
	select {
	case a := <-r.answer: // it was answered as well
		return a.revision, a.err
	default:
		return 0, l.closedError()
	}
}

// checkOps refuses what no state of the store could make right.
func checkOps(ops []store.Op) error {
	for i, op := range ops {
		if err := checkKey(op.Key); err != nil {
			return fmt.Errorf("commit: %w", err)
		}
		for _, other := range ops[:i] {
			if other.Key == op.Key {
				return fmt.Errorf("commit %s: two ops of one commit name it", op.Key)
			}
		}
	}
	return nil
}

func (l *Log) closedError() error {
	if cause := l.failure.cause(); cause != nil {
		return fmt.Errorf("commit: %w: %w", store.ErrClosed, cause)
	}
	return fmt.Errorf("commit: %w", store.ErrClosed)
}

// Close waits for commits under way, ends the watchers and closes the files.
func (l *Log) Close() (err error) {
	l.ending.Do(func() { err = l.end() })
	return err
}

func (l *Log) end() error {
	l.queue.close()
	select {
	case <-l.stopped:
	case <-l.failure.happened: // the committer may be stuck in a write that will never end
	}
	l.index.Close()
	if cause := l.failure.cause(); cause != nil {
		// Pebble's locks and files are in an unknown state, and closing it might wait for ever. The next
		// Open replays the log, as after a crash.
		return errors.Join(fmt.Errorf("close failed log: %w", cause), l.files.release())
	}
	if err := guard(l.db.Close); err != nil {
		return errors.Join(fmt.Errorf("close log: %w", err), l.files.release())
	}
	return l.files.release()
}

func (l *Log) Snapshot() store.Snapshot                              { return l.index.Snapshot() }
func (l *Log) SnapshotAt(rev store.Revision) (store.Snapshot, error) { return l.index.SnapshotAt(rev) }
func (l *Log) Compacted() store.Revision                             { return l.index.Compacted() }

func (l *Log) Watch(table string, rev store.Revision) (store.Watcher, error) {
	return l.index.Watch(table, rev)
}

func (l *Log) WaitFor(ctx context.Context, rev store.Revision) error {
	return l.index.WaitFor(ctx, rev)
}
