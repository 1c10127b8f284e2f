package auth_test

import (
	"iter"
	"sort"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"

	"proa/kinds"
	"proa/kinds/resource"
	"proa/store"
)

// state is a store of what a test says is there. It is a Source; a Snapshot of it never changes.
type state struct {
	t     *testing.T
	table *kinds.Table
	codec runtime.Decoder
	mu    struct {
		sync.Mutex
		snap snapshot
	}
}

type snapshot struct {
	revision store.Revision
	items    map[store.Key]*store.Item
}

func newState(t *testing.T) *state {
	s := &state{t: t, table: kinds.Builtin(), codec: serializer.NewCodecFactory(kinds.NewScheme()).UniversalDeserializer()}
	s.mu.snap.items = map[store.Key]*store.Item{}
	return s
}

func (s *state) Snapshot() store.Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.snap
}

// change applies one commit.
func (s *state) change(f func(items map[store.Key]*store.Item, rev store.Revision)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	items := map[store.Key]*store.Item{}
	for k, v := range s.mu.snap.items {
		items[k] = v
	}
	rev := s.mu.snap.revision + 1
	f(items, rev)
	s.mu.snap = snapshot{rev, items}
}

func (s *state) key(obj resource.Object) store.Key {
	r := s.table.Of(obj)
	if r == nil {
		s.t.Fatalf("no row for %T", obj)
	}
	return store.Key{Table: r.Table(), Namespace: obj.GetNamespace(), Name: obj.GetName()}
}

func (s *state) put(objs ...resource.Object) {
	s.change(func(items map[store.Key]*store.Item, rev store.Revision) {
		for _, obj := range objs {
			items[s.key(obj)] = store.NewItem(s.key(obj), rev, rev, nil, obj, nil)
		}
	})
}

func (s *state) remove(obj resource.Object) {
	s.change(func(items map[store.Key]*store.Item, _ store.Revision) { delete(items, s.key(obj)) })
}

// parse reads one object in YAML or JSON.
func (s *state) parse(text string) resource.Object {
	s.t.Helper()
	obj, _, err := s.codec.Decode([]byte(text), nil, nil)
	if err != nil {
		s.t.Fatalf("parse %s: %v", text, err)
	}
	return obj.(resource.Object)
}

func (s snapshot) Revision() store.Revision      { return s.revision }
func (s snapshot) Changed(string) store.Revision { return s.revision } // of any table
func (s snapshot) Get(key store.Key) *store.Item { return s.items[key] }
func (s snapshot) Len(table, namespace string) int {
	n := 0
	for range s.List(table, namespace, store.Key{}) {
		n++
	}
	return n
}

func (s snapshot) List(table, namespace string, _ store.Key) iter.Seq[*store.Item] {
	var keys []store.Key
	for k := range s.items {
		if k.Table == table && (namespace == "" || k.Namespace == namespace) {
			keys = append(keys, k)
		}
	}
	sort.Slice(keys, func(i, j int) bool {
		return keys[i].Namespace+"\x00"+keys[i].Name < keys[j].Namespace+"\x00"+keys[j].Name
	})
	return func(yield func(*store.Item) bool) {
		for _, k := range keys {
			if !yield(s.items[k]) {
				return
			}
		}
	}
}
