package pebblelog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"proa/store"
	"proa/store/index"
)

// recoverBatch is how many revisions are published at a time while the history is read.
const recoverBatch = 1024

// recover fills the index from the rows, in one scan in order of revision. Rows up to the compacted revision are the
// items of that moment; each later one is an event.
func (l *Log) recover() error {
	compacted, err := l.readRevision(compactedKey)
	if err != nil {
		return err
	}
	if l.floor, err = l.readRevision(floorKey); err != nil {
		return err
	}
	rows, err := l.db.NewIter(&pebble.IterOptions{LowerBound: []byte{rowPrefix}, UpperBound: []byte{rowPrefix + 1}})
	if err != nil {
		return fmt.Errorf("scan rows: %w", err)
	}
	s := scan{log: l, rows: rows, names: map[string]string{}}
	err = s.run(compacted)
	if err = errors.Join(err, rows.Close()); err != nil {
		return err
	}
	if err := l.reseal(s.stale); err != nil {
		return err
	}
	if l.floor > l.index.Revision() {
		l.index.Publish(index.Commit{Revision: l.floor, At: l.options.Clock()})
	}
	return nil
}

// readRevision reads a row of the 'm' kind; absent is 0.
func (l *Log) readRevision(key []byte) (store.Revision, error) {
	value, closer, err := l.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", key[1:], err)
	}
	defer closer.Close()
	if len(value) != 8 {
		return 0, fmt.Errorf("read %s: %w", key[1:], errRow)
	}
	return store.Revision(binary.BigEndian.Uint64(value)), nil
}

// scan reads the rows of a log into its index.
type scan struct {
	log   *Log
	rows  *pebble.Iterator
	names map[string]string // table and namespace names met, each kept once

	stale   []row                     // to be sealed anew
	group   map[store.Key]*store.Item // changed by commits not yet published; nil: deleted
	commits []index.Commit
	err     error
}

func (s *scan) run(compacted store.Revision) error {
	more := s.rows.First()
	s.log.index.Load(compacted, func(yield func(*store.Item) bool) {
		for ; more && s.err == nil; more = s.rows.Next() {
			r := s.parse()
			if s.err != nil || r.revision > compacted {
				return
			}
			if r.deleted {
				s.err = fmt.Errorf("row %s at %d: deleted before the history starts: %w", r.key, r.revision, errRow)
				return
			}
			yield(s.item(r, r.data))
		}
	})
	s.group = map[store.Key]*store.Item{}
	for ; more && s.err == nil; more = s.rows.Next() {
		if r := s.parse(); s.err == nil {
			s.replay(r)
		}
	}
	s.publish()
	if err := s.rows.Error(); err != nil {
		return fmt.Errorf("scan rows: %w", err)
	}
	return s.err
}

func (s *scan) parse() row {
	value, err := s.rows.ValueAndErr()
	if err != nil {
		s.err = fmt.Errorf("read row %q: %w", s.rows.Key(), err)
		return row{}
	}
	r, err := parseRow(s.rows.Key(), value, s.intern)
	s.err = err
	r.key.Namespace = s.intern([]byte(r.key.Namespace))
	if err == nil {
		s.err = s.unseal(&r)
	}
	return r
}

func (s *scan) intern(b []byte) string {
	if name, ok := s.names[string(b)]; ok {
		return name
	}
	name := strings.Clone(string(b))
	s.names[name] = name
	return name
}

func (s *scan) item(r row, data []byte) *store.Item {
	return store.NewItem(r.key, r.revision, r.created, data, nil, s.log.options.Decode)
}

// replay turns a row into the event that wrote it.
func (s *scan) replay(r row) {
	prev, ok := s.group[r.key]
	if !ok {
		prev = s.log.index.Get(r.key)
	}
	if (prev == nil) != (r.created == r.revision) || (prev != nil && prev.Created != r.created) || (prev == nil && r.deleted) {
		s.err = fmt.Errorf("row %s at %d: does not follow what was stored before: %w", r.key, r.revision, errRow)
		return
	}
	e := store.Event{Type: store.Updated, Prev: prev}
	switch {
	case r.deleted && r.sameData:
		e.Type, e.Item = store.Deleted, s.item(r, prev.Data)
	case r.deleted:
		e.Type, e.Item = store.Deleted, s.item(r, r.data)
	case prev == nil:
		e.Type, e.Item = store.Created, s.item(r, r.data)
	default:
		e.Item = s.item(r, r.data)
	}
	s.append(r, e)
}

func (s *scan) append(r row, e store.Event) {
	if n := len(s.commits); n > 0 && s.commits[n-1].Revision == r.revision {
		s.commits[n-1].Events = append(s.commits[n-1].Events, e)
	} else {
		if n >= recoverBatch {
			s.publish()
		}
		s.commits = append(s.commits, index.Commit{Revision: r.revision, At: r.at, Events: []store.Event{e}})
	}
	if s.group[r.key] = e.Item; e.Type == store.Deleted {
		s.group[r.key] = nil
	}
}

func (s *scan) publish() {
	s.log.index.Publish(s.commits...)
	s.commits = nil
	clear(s.group)
}
