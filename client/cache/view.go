package cache

import (
	"iter"
	"strings"

	"github.com/tidwall/btree"

	"proa/client"
)

// view is an immutable state of all tables. Its revision counts the publications of this cache: revisions of the API order
// the changes of one table, but its tables arrive by streams of their own.
type view struct {
	cache    *Cache
	revision int64
	tables   map[string]*state
}

// state is one table at one time. States of one table share what they have in common.
type state struct {
	objects *btree.BTreeG[entry]
	// last is the newest batch of events that the state holds: a watch from here on yields what comes after it. Batches are
	// linked forward only, so the garbage collector keeps exactly those that a view or a watcher may still ask for. A
	// ring of fixed size was the other way; it would make watchers that are slow lose events.
	last     *batch
	read     bool  // the table has been read once
	progress int64 // API revision up to which the table is complete
}

// entry is an object under its key. obj is nil in pivots only.
type entry struct {
	namespace, name string
	obj             client.Object
}

func before(a, b entry) bool {
	if c := strings.Compare(a.namespace, b.namespace); c != 0 {
		return c < 0
	}
	return a.name < b.name
}

func entryOf(obj client.Object) entry { return entry{obj.GetNamespace(), obj.GetName(), obj} }

func newState() *state {
	return &state{objects: btree.NewBTreeGOptions(before, btree.Options{NoLocks: true}), last: newBatch()}
}

func (s *state) get(namespace, name string) client.Object {
	found, _ := s.objects.Get(entry{namespace: namespace, name: name})
	return found.obj
}

// Revision implements client.View.
func (v *view) Revision() int64 { return v.revision }

// Get implements client.View.
func (v *view) Get(ref client.Ref) client.Object {
	s := v.tables[ref.Table]
	if s == nil {
		return nil
	}
	return s.get(ref.Namespace, ref.Name)
}

// List implements client.View.
func (v *view) List(table, namespace string) iter.Seq[client.Object] {
	return func(yield func(client.Object) bool) {
		s := v.tables[table]
		if s == nil {
			return
		}
		s.objects.Ascend(entry{namespace: namespace}, func(e entry) bool {
			if namespace != "" && e.namespace != namespace {
				return false
			}
			return yield(e.obj)
		})
	}
}
