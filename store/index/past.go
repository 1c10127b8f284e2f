package index

import (
	"fmt"
	"iter"
	"slices"
	"sync"

	"proa/store"
)

// past is the state after a commit that is not the newest. It holds the newest version of the moment it was asked for
// and, per table, the events since; a table is put together when it is first read, by undoing those on a copy of its tree.
//
// Commits therefore pay nothing for old snapshots, and only who reads the past pays, for the tables it reads: that
// is a list continued page by page, or a client that asks for an exact revision. Keeping one version per commit instead
// would be simpler here, but every commit would keep its own copies of tree nodes alive for five minutes.
type past struct {
	revision store.Revision
	newest   *version
	copying  *sync.Mutex // Index.mu

	mu struct {
		sync.Mutex
		undo  map[string][]*node
		trees map[string]*tree
	}
}

// SnapshotAt is the state right after the commit of rev.
func (x *Index) SnapshotAt(rev store.Revision) (store.Snapshot, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	newest := x.current.Load()
	if err := x.withinLocked(rev); err != nil {
		return nil, fmt.Errorf("take snapshot at %d: %w", rev, err)
	}
	if rev == newest.revision {
		return newest, nil
	}
	p := &past{revision: rev, newest: newest, copying: &x.mu}
	p.mu.undo = map[string][]*node{}
	p.mu.trees = map[string]*tree{}
	for name, t := range x.tables {
		if i := t.after(rev); i < len(t.nodes) {
			p.mu.undo[name] = slices.Clone(t.nodes[i:])
		}
	}
	return p, nil
}

// withinLocked says whether the history can answer for rev.
func (x *Index) withinLocked(rev store.Revision) error {
	switch {
	case rev > x.Revision():
		return store.ErrFuture
	case rev < x.Compacted():
		return store.ErrCompacted
	}
	return nil
}

func (p *past) tree(name string) *tree {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t, ok := p.mu.trees[name]; ok {
		return t
	}
	undo, ok := p.mu.undo[name]
	if !ok {
		return p.newest.tree(name)
	}
	p.copying.Lock()
	t := p.newest.tree(name).copy()
	p.copying.Unlock()
	for _, n := range slices.Backward(undo) {
		t.undo(n.event)
	}
	p.mu.trees[name] = t
	delete(p.mu.undo, name)
	return t
}

func (p *past) Revision() store.Revision { return p.revision }

func (p *past) Get(k store.Key) *store.Item { return p.tree(k.Table).get(k) }

func (p *past) List(table, namespace string, after store.Key) iter.Seq[*store.Item] {
	return func(yield func(*store.Item) bool) { p.tree(table).list(namespace, after, yield) }
}

func (p *past) Len(table, namespace string) int { return p.tree(table).count(namespace) }

// Changed need not say which of the events it undoes was the last before: the revision of the snapshot will do.
func (p *past) Changed(table string) store.Revision {
	return min(p.newest.Changed(table), p.revision)
}
