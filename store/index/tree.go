package index

import (
	"strings"
	"sync"

	"github.com/tidwall/btree"

	"proa/store"
)

// tree holds the items of one table in order of namespace, then name. Trees share nodes with their copies, so one that
// was published is never changed again. A nil tree is empty.
//
// An entry is one pointer: the key is the item's own. Counts are the B-tree's: it knows the size of every subtree,
// so counting a namespace is two searches by position, and no table of counts has to be kept and versioned beside it.
type tree struct {
	items   *btree.BTreeG[*store.Item]
	changed store.Revision // see store.Snapshot
}

func newTree() *tree {
	return &tree{items: btree.NewBTreeGOptions(before, btree.Options{NoLocks: true})}
}

// before orders the items of one table.
func before(a, b *store.Item) bool {
	if c := strings.Compare(a.Key.Namespace, b.Key.Namespace); c != 0 {
		return c < 0
	}
	return a.Key.Name < b.Key.Name
}

// pivots are items that only carry a key to search for. The B-tree compares whole entries, so a search needs one;
// pooled, because otherwise each Get would leave one behind.
var pivots = sync.Pool{New: func() any { return new(store.Item) }}

func withPivot(k store.Key, f func(*store.Item)) {
	p := pivots.Get().(*store.Item)
	p.Key = k
	f(p)
	p.Key = store.Key{}
	pivots.Put(p)
}

// copy is a tree that can be changed while t stays as it is. The library marks t as shared by writing to it, in a word
// that its readers do not look at; two copiers must exclude each other (Index.mu).
func (t *tree) copy() *tree {
	if t == nil {
		return newTree()
	}
	return &tree{items: t.items.Copy(), changed: t.changed}
}

func (t *tree) set(i *store.Item) { t.items.Set(i) }

// apply makes a change of one commit.
func (t *tree) apply(e store.Event, rev store.Revision) {
	t.changed = rev
	if e.Type == store.Deleted {
		t.items.Delete(e.Item)
		return
	}
	t.items.Set(e.Item)
}

func (t *tree) undo(e store.Event) {
	if e.Prev == nil {
		t.items.Delete(e.Item)
		return
	}
	t.items.Set(e.Prev)
}

func (t *tree) lastChange() store.Revision {
	if t == nil {
		return 0
	}
	return t.changed
}

func (t *tree) get(k store.Key) (found *store.Item) {
	if t == nil {
		return nil
	}
	withPivot(k, func(p *store.Item) { found, _ = t.items.Get(p) })
	return found
}

// list yields the items of a namespace ("" means all) that come after a key.
func (t *tree) list(namespace string, after store.Key, yield func(*store.Item) bool) {
	if t == nil {
		return
	}
	start := store.Key{Namespace: after.Namespace, Name: after.Name}
	if start.Namespace < namespace {
		start = store.Key{Namespace: namespace}
	}
	// The pivot is not pooled: yield may list again before this list ends, or never return.
	t.items.Ascend(&store.Item{Key: start}, func(i *store.Item) bool {
		if namespace != "" && i.Key.Namespace != namespace {
			return false
		}
		if i.Key.Name == after.Name && i.Key.Namespace == after.Namespace {
			return true
		}
		return yield(i)
	})
}

func (t *tree) count(namespace string) int {
	if t == nil {
		return 0
	}
	if namespace == "" {
		return t.items.Len()
	}
	return t.position(namespace+"\x00") - t.position(namespace)
}

// position counts the items whose namespace sorts before the one given. No namespace holds a NUL byte, so the
// smallest string above a namespace is that namespace with a NUL appended.
func (t *tree) position(namespace string) int {
	low, high := 0, t.items.Len()
	for low < high {
		middle := (low + high) / 2
		if i, _ := t.items.GetAt(middle); i.Key.Namespace < namespace {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}
