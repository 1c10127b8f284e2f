package index

import (
	"sort"
	"sync/atomic"
	"time"

	"proa/store"
)

// trimBatch bounds how many events one Trim lets go (rounded up to whole commits), so that a commit after a quiet hour
// does not have to delete an hour's rows. It is far more than one group of commits adds.
const trimBatch = 2048

// eventOverhead is what an event costs besides superseded data: the node, the item, places in three slices.
const eventOverhead = 300

// node is one event in the history of its table: a link of a list that readers walk without a lock.
//
// A watcher is a pointer to the last node it has returned. It holds nothing else, so a thousand watchers cost a thousand
// pointers, however slow they are. The usual alternative, a buffered channel per watcher, costs each write a send per
// watcher and needs a policy for full buffers; here the only policy is the history's own bound.
//
// To keep a watcher that nobody reads from holding everything since alive, Trim cuts the link to what it lets go. So
//
//	next == nil    the node is the newest of its table
//	next == &cut   what followed is compacted
//
// and a node that was let go stays good as a place to wait at, as long as nothing after it was let go too.
type node struct {
	event store.Event
	next  atomic.Pointer[node]
	table *table
	at    int64 // commit time, Unix nanoseconds
}

// cut marks the end of a link that was trimmed.
var cut node

func (n *node) revision() store.Revision { return n.event.Item.Revision }

// cost is what letting the event go will free: the version that it superseded, and its own if that was the last.
func (n *node) cost() int64 {
	c := int64(eventOverhead)
	if n.event.Prev != nil {
		c += int64(len(n.event.Prev.Data))
	}
	if n.event.Type == store.Deleted {
		c += int64(len(n.event.Item.Data))
	}
	return c
}

// shed drops the decoded forms of what is no longer current.
func (n *node) shed() {
	if n.event.Prev != nil {
		n.event.Prev.Shed()
	}
	if n.event.Type == store.Deleted {
		n.event.Item.Shed()
	}
}

// table is the history of one table. Fields but changed are guarded by Index.mu; links are read without it.
type table struct {
	name    string
	base    *node   // the place before nodes[0]: the last one let go, or an empty one
	nodes   []*node // by revision
	changed signal
}

// after is the position of the first node later than rev.
func (t *table) after(rev store.Revision) int {
	return sort.Search(len(t.nodes), func(i int) bool { return t.nodes[i].revision() > rev })
}

// place is the node to watch from, to see what comes after rev.
func (t *table) place(rev store.Revision) *node {
	if i := t.after(rev); i > 0 {
		return t.nodes[i-1]
	}
	return t.base
}

// chain is what one Publish adds to one table. It is linked as a whole, so that nobody ever sees part of a commit.
type chain struct {
	table       *table
	first, last *node
}

func extend(chains []*chain, t *table, n *node) []*chain {
	for _, c := range chains {
		if c.table == t {
			c.last.next.Store(n)
			c.last = n
			return chains
		}
	}
	return append(chains, &chain{table: t, first: n, last: n})
}

func (t *table) link(c *chain) {
	tail := t.base
	if len(t.nodes) > 0 {
		tail = t.nodes[len(t.nodes)-1]
	}
	for n := c.first; n != nil; n = n.next.Load() {
		t.nodes = append(t.nodes, n)
	}
	tail.next.Store(c.first)
}

// dropFirst lets the oldest node go. It becomes the base; who has not passed it yet is cut off.
func (t *table) dropFirst() {
	first := t.nodes[0]
	t.nodes[0] = nil
	t.nodes = t.nodes[1:]
	t.base.next.Store(&cut)
	t.base = first
}

// history is all tables' nodes in order of revision. Guarded by Index.mu.
type history struct {
	nodes []*node
	shed  int   // how many of nodes, from the front, have shed
	cost  int64 // of all nodes
}

func (h *history) add(n *node) {
	h.nodes = append(h.nodes, n)
	h.cost += n.cost()
}

// excess says whether the oldest event exceeds a bound.
func (h *history) excess(o Options, now int64) bool {
	return len(h.nodes) > 0 &&
		(len(h.nodes) > o.Events || h.cost > o.Bytes || now-h.nodes[0].at > int64(o.Age))
}

func (h *history) dropFirst() *node {
	first := h.nodes[0]
	h.nodes[0] = nil
	h.nodes = h.nodes[1:]
	h.cost -= first.cost()
	h.shed = max(0, h.shed-1)
	first.table.dropFirst()
	return first
}

// shedOld makes versions that were superseded some time ago small.
func (h *history) shedOld(now int64) {
	for h.shed < len(h.nodes) && now-h.nodes[h.shed].at > int64(shedAfter) {
		h.nodes[h.shed].shed()
		h.shed++
	}
}

// Shed makes versions that were superseded some time ago small, and says whether there are others whose time will come.
// Trim does the same; this is for when no commits come.
func (x *Index) Shed(now time.Time) (left bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.history.shedOld(now.UnixNano())
	return x.history.shed < len(x.history.nodes)
}

// Trim lets go of what exceeds the bounds, at most trimBatch events and whole commits only, and returns it, oldest
// first: a log deletes the rows of what those events superseded. The caller decides when; nothing grows between
// commits, so calling it before each Publish is enough.
func (x *Index) Trim(now time.Time) []store.Event {
	x.mu.Lock()
	defer x.mu.Unlock()
	h := &x.history
	h.shedOld(now.UnixNano())
	var gone []store.Event
	for len(gone) < trimBatch && h.excess(x.options, now.UnixNano()) {
		rev := h.nodes[0].revision()
		// Readers of compacted that see the new value before the links are cut only refuse a little early; the other
		// way round, Watch could accept a revision whose events are gone. Both are under mu, but Compacted is not.
		x.compacted.Store(int64(rev))
		for len(h.nodes) > 0 && h.nodes[0].revision() == rev {
			gone = append(gone, h.dropFirst().event)
		}
	}
	return gone
}
