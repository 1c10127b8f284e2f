package pebblelog

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// errNoSealer: the log holds sealed rows and was opened without what opens them.
var errNoSealer = errors.New("the row is encrypted, and no encryption is configured")

// set puts a row into a batch, sealed if its table is.
func (l *Log) set(b *pebble.Batch, key []byte, r row) error {
	if sealer := l.options.Sealer; sealer != nil && !r.sameData && sealer.Seals(r.key.Table) {
		sealed, err := sealer.Seal(r.key.Table, key, r.data)
		if err != nil {
			return err
		}
		r.sealed, r.data = true, sealed
	}
	return b.Set(key, appendValue(make([]byte, 0, 32+len(r.data)), r), nil)
}

// unseal makes a row from the disk what it was before it was sealed, and notes those that are not kept as they should be by
// now: in the open, or sealed with an old key.
func (s *scan) unseal(r *row) error {
	sealer := s.log.options.Sealer
	if !r.sealed {
		if sealer != nil && !r.sameData && sealer.Seals(r.key.Table) {
			s.stale = append(s.stale, *r)
		}
		return nil
	}
	if sealer == nil {
		return fmt.Errorf("open %s at %d: %w", r.key, r.revision, errNoSealer)
	}
	data, stale, err := sealer.Open(r.key.Table, s.rows.Key(), r.data)
	if err != nil {
		return fmt.Errorf("open %s at %d: %w", r.key, r.revision, err)
	}
	r.sealed, r.data = false, data
	if stale || !sealer.Seals(r.key.Table) {
		s.stale = append(s.stale, *r)
	}
	return nil
}

// resealBatch is how many rows are written at a time.
const resealBatch = 1024

// reseal writes rows again as they should be kept. They keep their revisions, so nobody but the disk sees it: when Open
// returns, no row is left that the Sealer would keep otherwise, old versions in the history included. What the rows were
// before is overwritten on the disk as far as Pebble's files go; what the file system keeps of deleted files is out of our hands.
func (l *Log) reseal(stale []row) error {
	if len(stale) == 0 {
		return nil
	}
	for at := 0; at < len(stale); at += resealBatch {
		if err := l.resealSome(stale[at:min(at+resealBatch, len(stale))]); err != nil {
			return fmt.Errorf("encrypt rows anew: %w", err)
		}
	}
	if err := l.db.Flush(); err != nil {
		return fmt.Errorf("flush rows encrypted anew: %w", err)
	}
	if err := l.db.Compact(context.Background(), []byte{rowPrefix}, []byte{rowPrefix + 1}, false); err != nil {
		return fmt.Errorf("drop rows as they were before: %w", err)
	}
	l.options.Logger.Info("rows were encrypted anew", "rows", len(stale))
	return nil
}

func (l *Log) resealSome(rows []row) error {
	b := l.db.NewBatch()
	defer b.Close()
	for _, r := range rows {
		if err := l.set(b, appendKey(make([]byte, 0, keyLen(r.key)), r.revision, r.key), r); err != nil {
			return err
		}
	}
	return l.apply(b, false)
}
