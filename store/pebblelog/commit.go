package pebblelog

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"proa/store"
)

// floorAhead is how many revisions relaxed commits may use before the floor must be raised with a sync.
const floorAhead = 10_000

// quietPeriod is how long no commit must come before versions that were superseded are made small without one.
const quietPeriod = 3 * time.Second

// run is the committer. It ends when the queue is closed and empty, or when the disk fails; Pebble may then
// also end this goroutine from within (see slogger.Fatalf), which is why the end is deferred.
func (l *Log) run() {
	defer close(l.stopped)
	defer l.queue.close()
	quiet := time.NewTimer(quietPeriod)
	defer quiet.Stop()
	rest := func() {
		if l.index.Shed(l.options.Clock()) {
			quiet.Reset(quietPeriod)
		}
	}
	for {
		requests := l.queue.take(quiet.C, rest)
		if requests == nil {
			l.settle()
			return
		}
		if !l.commit(requests) {
			return
		}
		quiet.Reset(quietPeriod)
	}
}

// commit decides, writes, publishes and answers one group, in this order. Refusals are answered last too: they may
// rest on a commit of the same group, which must not be known before it is durable. It returns false when the disk failed;
// the callers then learn it from failure.
func (l *Log) commit(requests []*request) bool {
	now := l.options.Clock()
	g := newGroup(l.index.Get, l.options.Decode, l.index.Revision(), now)
	answers := make([]answer, len(requests))
	for i, r := range requests {
		answers[i].revision, answers[i].err = g.add(r.ops)
	}
	if len(g.commits) > 0 {
		l.trim(g)
		if err := l.write(g); err != nil {
			l.failure.set(err)
			return false
		}
		l.index.Publish(g.commits...)
	}
	for i, r := range requests {
		r.answer <- answers[i]
	}
	return true
}

// trim lets the history forget, and notes the rows that nobody needs any more: the versions superseded by
// the events let go, and the last versions of what was deleted.
func (l *Log) trim(g *group) {
	for _, e := range l.index.Trim(g.at) {
		if e.Prev != nil {
			l.garbage = append(l.garbage, appendKey(nil, e.Prev.Revision, e.Prev.Key))
		}
		if e.Type == store.Deleted {
			l.garbage = append(l.garbage, appendKey(nil, e.Item.Revision, e.Item.Key))
		}
	}
}

// write puts a group on disk. The rows deleted and the mark of compaction go with it, so that they cost no sync.
func (l *Log) write(g *group) error {
	b := l.db.NewBatch()
	defer b.Close()
	for _, c := range g.commits {
		for _, e := range c.Events {
			key := appendKey(make([]byte, 0, keyLen(e.Item.Key)), e.Item.Revision, e.Item.Key)
			if err := l.set(b, key, rowOf(e, c.At)); err != nil {
				return fmt.Errorf("batch %s: %w", e.Item.Key, err)
			}
		}
	}
	if err := l.writeGarbage(b); err != nil {
		return err
	}
	relaxed := g.relaxed && g.last <= l.floor
	if g.relaxed && !relaxed {
		if err := l.setFloor(b, g.last+floorAhead); err != nil {
			return err
		}
	}
	if err := l.apply(b, relaxed); err != nil {
		return fmt.Errorf("write revisions %d to %d: %w", g.commits[0].Revision, g.last, err)
	}
	return nil
}

func (l *Log) writeGarbage(b *pebble.Batch) error {
	if len(l.garbage) == 0 {
		return nil
	}
	for _, key := range l.garbage {
		if err := b.Delete(key, nil); err != nil {
			return fmt.Errorf("batch deletion: %w", err)
		}
	}
	l.garbage = l.garbage[:0]
	return setRevision(b, compactedKey, l.index.Compacted())
}

func (l *Log) setFloor(b *pebble.Batch, rev store.Revision) error {
	l.floor = rev
	return setRevision(b, floorKey, rev)
}

func setRevision(b *pebble.Batch, key []byte, rev store.Revision) error {
	if err := b.Set(key, binary.BigEndian.AppendUint64(nil, uint64(rev)), nil); err != nil {
		return fmt.Errorf("batch %s: %w", key[1:], err)
	}
	return nil
}

// apply writes a batch to the log's file and, unless relaxed, waits for the disk. Pebble reports an error of the
// log's file through its logger alone, hence the second look.
func (l *Log) apply(b *pebble.Batch, relaxed bool) error {
	if relaxed {
		defer l.files.relax()()
	}
	if err := b.Commit(pebble.Sync); err != nil {
		return err
	}
	return l.failure.cause()
}

// settle is the last write before an orderly end: it makes relaxed commits durable and lowers the floor to what was really
// given out, so that a restart continues without a jump in revisions.
func (l *Log) settle() {
	if l.floor <= l.index.Revision() {
		return
	}
	b := l.db.NewBatch()
	defer b.Close()
	if err := l.setFloor(b, l.index.Revision()); err != nil {
		l.failure.set(err)
		return
	}
	if err := l.apply(b, false); err != nil {
		l.failure.set(fmt.Errorf("settle log: %w", err))
	}
}
