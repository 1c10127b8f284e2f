// Package store keeps objects: revisions, an index in memory, a history of changes, and a durable log.
//
// It keeps bytes under keys and knows no kinds. Every reader is served from memory; every write is durable
// before it is acknowledged, unless its Op says Relaxed. When the disk fails, the store refuses all further
// writes with ErrClosed and keeps answering reads and watches from memory.
//
// The contract follows etcd's (https://etcd.io/docs/v3.6/learning/api_guarantees): one revision counts all
// commits, an Item's Revision is the commit that wrote it, watches are ordered, gapless and resumable.
package store

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"strings"
	"sync/atomic"
)

// Revision numbers the commits of a store, starting at 1. It only grows, also across restarts, and it may jump: after a
// kill or a power failure the newest revision can be one at which nothing was committed.
type Revision int64

// What an Op may expect of the item it writes, besides a revision.
const (
	Absent Revision = 0  // no item is stored under the key
	Any    Revision = -1 // whatever is stored there, or nothing
)

// Errors of a Store. They may come wrapped; test with errors.Is.
var (
	// ErrExists: an Op expected Absent, and the key holds an item.
	ErrExists = errors.New("key exists")
	// ErrNotFound: an Op expected a revision, or deletes, and the key holds nothing.
	ErrNotFound = errors.New("key not found")
	// ErrConflict: an Op expected a revision other than the one stored.
	ErrConflict = errors.New("stored revision differs")
	// ErrCompacted: the history no longer reaches back to the revision asked for.
	ErrCompacted = errors.New("revision has been compacted")
	// ErrFuture: the revision asked for has not been committed yet.
	ErrFuture = errors.New("revision is in the future")
	// ErrClosed: the store was closed, or its log failed; nothing more can be written.
	ErrClosed = errors.New("store is closed")
)

// Key names an item. Tables are named as the API names resources: "pods", "deployments.apps".
// Namespace is empty for what is not in a namespace. Neither part holds a NUL byte.
type Key struct {
	Table     string
	Namespace string
	Name      string
}

// String is how errors and logs name an item: "pods/default/web-0", or "nodes/alpha" without a namespace.
func (k Key) String() string {
	if k.Namespace == "" {
		return k.Table + "/" + k.Name
	}
	return k.Table + "/" + k.Namespace + "/" + k.Name
}

// Compare orders keys by table, namespace, name: the order of lists, and of the events of one commit.
func (k Key) Compare(o Key) int {
	return cmp.Or(strings.Compare(k.Table, o.Table), strings.Compare(k.Namespace, o.Namespace), strings.Compare(k.Name, o.Name))
}

// Form names a wire form of an item that is cached beside it. A store gives them no meaning.
type Form uint8

// FormCount bounds Form.
const FormCount = 8

// Item is one version of one object. It is shared by all readers and never changes once it is published;
// its caches fill in on demand.
type Item struct {
	hint     atomic.Uint64 // first, with the key: a list that passes most items over touches one line of the cache for each
	Key      Key
	Revision Revision // the commit that wrote this version
	Created  Revision // the commit that created the object
	Data     []byte   // what the log keeps, as the writer gave it

	decode func(*Item) any
	value  atomic.Pointer[any]
	forms  [FormCount]atomic.Pointer[form]
}

// form is a wire form; mark says by which rules it was made.
type form struct {
	mark uint64
	data []byte
}

// NewItem makes an item that is about to be published. value is the decoded form, or nil to have decode
// make it on first demand. For implementations of Store.
func NewItem(key Key, rev, created Revision, data []byte, value any, decode func(*Item) any) *Item {
	i := &Item{Key: key, Revision: rev, Created: created, Data: data, decode: decode}
	if value != nil {
		i.value.Store(&value)
	}
	return i
}

// Value returns the decoded form of Data. It is shared: callers must not change it.
func (i *Item) Value() any {
	if v := i.value.Load(); v != nil {
		return *v
	}
	v := i.decode(i)
	if i.value.CompareAndSwap(nil, &v) {
		return v
	}
	if first := i.value.Load(); first != nil {
		return *first
	}
	return v // another caller was first, and Shed came between
}

// Encoded returns the wire form f of the item, made by encode on first demand and kept. The bytes are shared:
// callers must not change them. Two first callers may both encode; one result is kept.
func (i *Item) Encoded(f Form, encode func(*Item) ([]byte, error)) ([]byte, error) {
	return i.EncodedBy(f, 0, encode)
}

// EncodedBy is Encoded for forms whose rules change while the item stays: one that was made under another mark is made anew.
func (i *Item) EncodedBy(f Form, mark uint64, encode func(*Item) ([]byte, error)) ([]byte, error) {
	had := i.forms[f].Load()
	if had != nil && had.mark == mark {
		return had.data, nil
	}
	b, err := encode(i)
	if err != nil {
		return nil, err
	}
	if i.forms[f].CompareAndSwap(had, &form{mark, b}) {
		return b, nil
	}
	if first := i.forms[f].Load(); first != nil && first.mark == mark {
		return first.data, nil
	}
	return b, nil // another caller was first, and Shed came between
}

// HasForm says whether EncodedBy would not encode.
func (i *Item) HasForm(f Form, mark uint64) bool {
	had := i.forms[f].Load()
	return had != nil && had.mark == mark
}

// Hint returns what of derived from the item when it was first asked for: some bits, never 0, by which readers tell most items
// that they do not want without looking at Value. All callers derive the same.
func (i *Item) Hint(of func(*Item) uint64) uint64 {
	if h := i.hint.Load(); h != 0 {
		return h
	}
	h := of(i)
	i.hint.Store(h)
	return h
}

// Shed drops what can be made again from Data: the decoded form and the wire forms. Whoever holds them keeps them.
// Implementations of Store call it for versions that only a late watcher may still ask for, so that the history
// costs little more than its bytes.
func (i *Item) Shed() {
	if i.decode != nil {
		i.value.Store(nil)
	}
	for f := range i.forms {
		i.forms[f].Store(nil)
	}
}

// Op is one write. All Ops of a Commit happen at one revision, or none does; a key may be in one of them only.
type Op struct {
	Key    Key
	Expect Revision // Absent, Any, or the Revision that must be stored now
	Delete bool     // remove the item; Data and Value then describe it as it was last, for watchers (Data nil: as stored)
	Data   []byte   // owned by the store from here on
	Value  any      // decoded form of Data, owned by the store from here on; nil: decoded on demand
	// Stamp, if set, is called once with the commit's revision after it is known and before Value is
	// published, so that Value can carry it. It must be quick and must not call the store. It is not called when an
	// expectation fails; when the disk fails it may have been called in vain.
	Stamp func(Revision)
	// Relaxed writes are acknowledged once the log's file has them, without waiting for the disk: they survive
	// a killed process but not a power failure. For what is rewritten every few seconds, such as leases. A Commit is
	// relaxed if all its Ops are; a later commit that is not makes it durable too, so what is lost is always the end.
	Relaxed bool
}

// Sealer encrypts what a log keeps. The log calls it from one goroutine at a time, for each row that it writes and, at Open,
// for each sealed row that it finds; it must be quick, for commits wait. It owns none of its arguments, and what it returns
// belongs to the log. Tables that it does not seal cost nothing but Seals.
type Sealer interface {
	// Seals says whether the rows of a table are sealed. The answer does not change while a log is open.
	Seals(table string) bool
	// Seal returns data as the disk may see it. at names the row; it is not kept, and Open is given the same. An error
	// fails the log: it must not happen for reasons that pass.
	Seal(table string, at, data []byte) ([]byte, error)
	// Open returns what Seal was given. stale: Seal would use another key by now, so the log writes the row anew. An error
	// keeps the log from opening.
	Open(table string, at, sealed []byte) (data []byte, stale bool, err error)
}

// EventType says what a commit did to a key.
type EventType uint8

// The types of an Event.
const (
	Created EventType = iota + 1
	Updated
	Deleted
)

// Event is one change of one key. Item is the new version; for Deleted it is the last one under the revision of
// the deletion. Prev is the version before, nil for Created.
type Event struct {
	Type EventType
	Item *Item
	Prev *Item
}

// Snapshot is the state after one commit. It never changes, costs nothing to hold for a short time, and may be
// used by any number of goroutines.
type Snapshot interface {
	// Revision is the last commit that the snapshot holds.
	Revision() Revision
	// Get returns the item under the key, or nil.
	Get(Key) *Item
	// List yields the items of a table in order of namespace, then name. A namespace narrows it ("" means all).
	// Items up to and including after (its Namespace and Name) are left out; the zero Key leaves out none.
	List(table, namespace string, after Key) iter.Seq[*Item]
	// Len counts the items of a table in a namespace ("" means all).
	Len(table, namespace string) int
	// Changed is a revision by which two snapshots can be compared: if it is equal in both, the table is the same. It
	// grows with every commit that touches the table, may be later than the last of them after a restart or in a
	// snapshot of the past, and is never later than Revision.
	Changed(table string) Revision
}

// Watcher yields the changes of one table, in order, each exactly once; those of one commit come together, in order
// of key. It is used by one goroutine. A Watcher needs no end: drop it, and it is garbage.
type Watcher interface {
	// Next returns all events since the last call, oldest first, waiting until there is at least one.
	// It fails with ctx's error, with ErrCompacted when the watcher fell behind the history, or with ErrClosed.
	// The slice is the caller's until the next call.
	Next(ctx context.Context) ([]Event, error)
	// Ready is closed, or receives, when Next would not wait. It is for selects; read it anew after each Next.
	Ready() <-chan struct{}
	// Progress is a revision up to which Next has returned every event of the table: what a bookmark may say.
	// It is at least the revision of the last event returned, and grows as other tables change.
	Progress() Revision
}

// Store is what the API server needs of a store. Every implementation passes storetest.
type Store interface {
	// Commit makes all ops, or none, durable and visible, and returns their revision. It returns when a reader
	// of Snapshot sees them. Errors of expectations name the key and leave everything as it was. If ctx ends first, or
	// the disk fails under way (ErrClosed), the outcome is unknown. Without ops it returns the newest revision.
	// Commits of other callers that wait at the same time share one write to the disk.
	Commit(ctx context.Context, ops ...Op) (Revision, error)
	// Snapshot is the newest committed state: it holds every acknowledged commit (linearizable).
	Snapshot() Snapshot
	// SnapshotAt is the state right after the commit of rev; ErrCompacted or ErrFuture if there is none.
	SnapshotAt(rev Revision) (Snapshot, error)
	// Watch starts right after the commit of rev; ErrCompacted when the history starts later, ErrFuture when rev is
	// later than Snapshot().Revision(). rev is often a Snapshot's Revision, then nothing is missed between the two.
	Watch(table string, rev Revision) (Watcher, error)
	// WaitFor returns when Snapshot().Revision() is at least rev, with ctx's error, or with ErrClosed.
	WaitFor(ctx context.Context, rev Revision) error
	// Compacted is the oldest revision that SnapshotAt and Watch still accept.
	Compacted() Revision
	// Close waits for commits under way, ends all watchers with ErrClosed and releases the log. Snapshots stay readable.
	Close() error
}
