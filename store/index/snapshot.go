package index

import (
	"iter"
	"maps"
	"slices"

	"proa/store"
)

// version is the state after one commit: a store.Snapshot. It never changes once it is in Index.current; until then
// Publish fills it in.
type version struct {
	revision store.Revision
	names    map[string]int // table name -> position in trees; shared by versions until a table is added
	trees    []*tree
	fresh    map[int]bool // while Publish works: the trees that are already this version's own
}

// successor is a version that starts as v, to be changed through writable and then published.
func (v *version) successor(rev store.Revision) *version {
	return &version{revision: rev, names: v.names, trees: slices.Clone(v.trees), fresh: map[int]bool{}}
}

// writable returns the tree of a table, copied first if v still shares it.
func (v *version) writable(t *table) *tree {
	n, ok := v.names[t.name]
	if !ok {
		n = len(v.trees)
		v.names = maps.Clone(v.names)
		v.names[t.name] = n
		v.trees = append(v.trees, nil)
	}
	if !v.fresh[n] {
		v.trees[n] = v.trees[n].copy()
		v.fresh[n] = true
	}
	return v.trees[n]
}

// sealed is v, ready for readers.
func (v *version) sealed() *version {
	v.fresh = nil
	return v
}

// tree finds a table's tree, or nil.
func (v *version) tree(name string) *tree {
	if n, ok := v.names[name]; ok {
		return v.trees[n]
	}
	return nil
}

func (v *version) Revision() store.Revision { return v.revision }

func (v *version) Get(k store.Key) *store.Item { return v.tree(k.Table).get(k) }

func (v *version) List(table, namespace string, after store.Key) iter.Seq[*store.Item] {
	t := v.tree(table)
	return func(yield func(*store.Item) bool) { t.list(namespace, after, yield) }
}

func (v *version) Len(table, namespace string) int { return v.tree(table).count(namespace) }

func (v *version) Changed(table string) store.Revision { return v.tree(table).lastChange() }
