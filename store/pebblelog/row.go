package pebblelog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"proa/store"
)

// Rows of the log. Every version of an item is one row, written once, under its revision:
//
//	'r' revision(8, big endian) table NUL namespace NUL name  ->  flags created(uvarint) millis(uvarint) data
//
// There is no second row by key. The item table is in memory anyway and rebuilt at Open from the same scan that
// rebuilds the history, so an index on disk would be written twice as much for nothing. A row goes when the event
// that superseded it leaves the history; until then it is that event's Prev. Beside the rows:
//
//	'm' "compacted"  ->  revision(8): the history starts after it
//	'm' "floor"      ->  revision(8): no revision up to it may be given out again (see relaxed.go)
const (
	rowPrefix  = 'r'
	metaPrefix = 'm'
)

var (
	compactedKey = []byte{metaPrefix, 'c', 'o', 'm', 'p', 'a', 'c', 't', 'e', 'd'}
	floorKey     = []byte{metaPrefix, 'f', 'l', 'o', 'o', 'r'}
)

// Flags of a row.
const (
	flagDeleted  byte = 1 << iota // the version is the last one, under the revision of the deletion
	flagSameData                  // its data is that of the version before, and left out
	flagSealed                    // its data is as the Sealer made it, bound to the row's key
	flagsKnown   = flagDeleted | flagSameData | flagSealed
)

// row is one version as it is kept.
type row struct {
	key      store.Key
	revision store.Revision
	created  store.Revision
	at       time.Time // to the millisecond
	deleted  bool
	sameData bool
	sealed   bool
	data     []byte
}

var errRow = errors.New("row is malformed")

// keyLen and valueLen bound the encoded sizes from above; putKey and putValue return the bytes used.
func keyLen(k store.Key) int { return 1 + 8 + len(k.Table) + 1 + len(k.Namespace) + 1 + len(k.Name) }

func appendKey(b []byte, rev store.Revision, k store.Key) []byte {
	b = append(b, rowPrefix)
	b = binary.BigEndian.AppendUint64(b, uint64(rev))
	b = append(b, k.Table...)
	b = append(b, 0)
	b = append(b, k.Namespace...)
	b = append(b, 0)
	return append(b, k.Name...)
}

func appendValue(b []byte, r row) []byte {
	var flags byte
	if r.deleted {
		flags |= flagDeleted
	}
	if r.sameData {
		flags |= flagSameData
	}
	if r.sealed {
		flags |= flagSealed
	}
	b = append(b, flags)
	b = binary.AppendUvarint(b, uint64(r.created))
	b = binary.AppendUvarint(b, uint64(max(0, r.at.UnixMilli())))
	if r.sameData {
		return b
	}
	return append(b, r.data...)
}

// parseRow reads a row. What it returns shares no memory with its arguments; table names come from intern.
func parseRow(key, value []byte, intern func([]byte) string) (row, error) {
	var r row
	if len(key) < 9 || key[0] != rowPrefix {
		return r, fmt.Errorf("parse key %q: %w", key, errRow)
	}
	r.revision = store.Revision(binary.BigEndian.Uint64(key[1:]))
	if r.revision < 1 {
		return r, fmt.Errorf("parse key %q: %w", key, errRow)
	}
	table, rest, ok := bytes.Cut(key[9:], []byte{0})
	namespace, name, ok2 := strings.Cut(string(rest), "\x00")
	if !ok || !ok2 {
		return r, fmt.Errorf("parse key %q: %w", key, errRow)
	}
	r.key = store.Key{Table: intern(table), Namespace: namespace, Name: name}
	if err := checkKey(r.key); err != nil {
		return r, fmt.Errorf("parse key %q: %w", key, err)
	}
	return r, r.parseValue(value)
}

func (r *row) parseValue(b []byte) error {
	if len(b) == 0 || b[0]&^flagsKnown != 0 {
		return fmt.Errorf("parse value of %s at %d: %w", r.key, r.revision, errRow)
	}
	r.deleted, r.sameData, r.sealed = b[0]&flagDeleted != 0, b[0]&flagSameData != 0, b[0]&flagSealed != 0
	created, n := binary.Uvarint(b[1:])
	if n <= 0 || created < 1 || created > uint64(r.revision) {
		return fmt.Errorf("parse value of %s at %d: %w", r.key, r.revision, errRow)
	}
	r.created = store.Revision(created)
	b = b[1+n:]
	millis, n := binary.Uvarint(b)
	if n <= 0 || int64(millis) < 0 {
		return fmt.Errorf("parse value of %s at %d: %w", r.key, r.revision, errRow)
	}
	r.at = time.UnixMilli(int64(millis))
	if b = b[n:]; r.sameData && (r.sealed || len(b) > 0) {
		return fmt.Errorf("parse value of %s at %d: %w", r.key, r.revision, errRow)
	}
	r.data = bytes.Clone(b)
	return nil
}

// checkKey refuses what the encoding of a key cannot hold.
func checkKey(k store.Key) error {
	if k.Table == "" || k.Name == "" {
		return fmt.Errorf("key %q needs a table and a name", k)
	}
	if strings.Contains(k.Table, "\x00") || strings.Contains(k.Namespace, "\x00") || strings.Contains(k.Name, "\x00") {
		return fmt.Errorf("key %q holds a NUL byte", k)
	}
	return nil
}
