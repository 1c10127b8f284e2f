// Package index answers every read of a store from memory: tables, snapshots, the history of changes, watches.
//
// It decides nothing about durability: a log (pebblelog, etcdlog) checks and persists commits, then hands them to
// Publish in order of revision. The index owns the published state. Its readers are the API server and whatever runs in
// the same process; they never wait for a writer, except for the instant that Watch and SnapshotAt need to find
// their place. When the log is gone, the index keeps answering until Close.
package index

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"proa/store"
)

// Bounds of the history that New applies to Options left zero.
const (
	DefaultAge    = 5 * time.Minute
	DefaultEvents = 100_000
	DefaultBytes  = 16 << 20
)

// shedAfter is the age at which versions that were superseded lose their decoded forms. Those who watch have long seen
// them; those who resume later pay one decoding.
const shedAfter = 500 * time.Millisecond

// Options bound the history. An event is let go when any bound is exceeded. All fields are optional.
type Options struct {
	Age    time.Duration // since the commit
	Events int           // kept in all tables together
	Bytes  int64         // of superseded data kept in all tables together
}

// Commit is what one revision changed.
type Commit struct {
	Revision store.Revision
	At       time.Time     // by the log's clock
	Events   []store.Event // of distinct keys; owned by the index from Publish on
}

// Index is the in-memory side of a store.
//
// State is a pointer to an immutable version: a revision and one B-tree per table. Publish makes the next version by
// copying the list of tables and, in each changed tree, the nodes on the path to what changed; readers follow
// the pointer without a lock. So a snapshot is free, a commit costs about a kilobyte of garbage, and a group of
// commits that shared a disk sync shares most of that.
//
// Roads not taken. A B-tree of (key, revision) pairs, as etcd's, answers reads at any revision directly, but each
// read then searches among old versions, and compaction has to visit every key; ours keeps old versions
// only in the history, and builds the rare old snapshot by undoing events on a copy (past.go). A lock around mutable maps
// costs readers of large lists their consistency or writers their latency. A radix tree (as in statedb) gives watch
// channels per subtree; nobody here watches less than a table, and it takes several times the memory per key.
//
// Order within Publish: trees first, then events, then the announced revision, then waking. Who is woken by an event
// therefore finds it in Snapshot, and a watcher that finds no event after reading the announced revision has
// returned every event up to it, which is what Progress promises.
type Index struct {
	options   Options
	current   atomic.Pointer[version]
	announced atomic.Int64 // newest revision whose events are linked into the history
	grown     signal       // fires when current advances
	closed    atomic.Bool

	mu        sync.Mutex // held by Publish, Trim, Close, and while a reader finds its place; never while anyone waits
	tables    map[string]*table
	history   history
	compacted atomic.Int64 // written under mu
}

// New makes an empty index at revision 0.
func New(o Options) *Index {
	x := &Index{
		options: Options{
			Age:    cmp.Or(o.Age, DefaultAge),
			Events: cmp.Or(o.Events, DefaultEvents),
			Bytes:  cmp.Or(o.Bytes, DefaultBytes),
		},
		tables: map[string]*table{},
	}
	x.current.Store(&version{names: map[string]int{}})
	return x
}

// Load sets the state that the history starts from: the items as of rev, in any order, keys distinct. It is called at most
// once, before the first Publish and before there are readers.
func (x *Index) Load(rev store.Revision, items func(yield func(*store.Item) bool)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	next := x.current.Load().successor(rev)
	for item := range items {
		t := x.tableLocked(item.Key.Table)
		tree := next.writable(t)
		tree.set(item)
		tree.changed = rev // it may have been a deletion: nobody knows any more
	}
	x.current.Store(next.sealed())
	x.compacted.Store(int64(rev))
	x.announced.Store(int64(rev))
}

// Publish makes commits visible, in order. Revisions must grow. A commit without events advances the revision alone.
func (x *Index) Publish(commits ...Commit) {
	if len(commits) == 0 {
		return
	}
	x.mu.Lock()
	last := commits[len(commits)-1].Revision
	next := x.current.Load().successor(last)
	var chains []*chain
	var added []*node
	for _, c := range commits {
		slices.SortFunc(c.Events, func(a, b store.Event) int { return a.Item.Key.Compare(b.Item.Key) })
		for _, e := range c.Events {
			t := x.tableLocked(e.Item.Key.Table)
			next.writable(t).apply(e, c.Revision)
			n := &node{event: e, table: t, at: c.At.UnixNano()}
			chains = extend(chains, t, n)
			added = append(added, n)
		}
	}
	x.current.Store(next.sealed())
	for _, c := range chains {
		c.table.link(c)
	}
	for _, n := range added {
		x.history.add(n)
	}
	x.announced.Store(int64(last))
	x.mu.Unlock()

	for _, c := range chains {
		c.table.changed.fire()
	}
	x.grown.fire()
}

// tableLocked finds or adds a table. A name may be watched before anything is stored under it.
func (x *Index) tableLocked(name string) *table {
	t := x.tables[name]
	if t == nil {
		t = &table{name: name, base: &node{}}
		x.tables[name] = t
		if x.closed.Load() {
			t.changed.end()
		}
	}
	return t
}

// Snapshot is the newest published state.
func (x *Index) Snapshot() store.Snapshot { return x.current.Load() }

// Get is Snapshot().Get for a log that checks expectations.
func (x *Index) Get(k store.Key) *store.Item { return x.current.Load().Get(k) }

// Revision is Snapshot().Revision().
func (x *Index) Revision() store.Revision { return x.current.Load().revision }

// Compacted is the oldest revision that SnapshotAt and Watch accept.
func (x *Index) Compacted() store.Revision { return store.Revision(x.compacted.Load()) }

// Close ends all watchers and waits with ErrClosed. Snapshots stay readable. Nothing may be published afterwards.
func (x *Index) Close() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.closed.Store(true)
	for _, t := range x.tables {
		t.changed.end()
	}
	x.grown.end()
}
