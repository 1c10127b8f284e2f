package storetest

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"

	"proa/store"
)

// Model is the contract as the simplest program that has it: all commits, in order. It can say what every snapshot must
// hold and which events every watch must return. Goroutines may record commits at once, in any order.
type Model struct {
	mu struct {
		sync.Mutex
		commits map[store.Revision][]store.Op
		last    store.Revision
	}
}

// NewModel is a model without commits.
func NewModel() *Model {
	m := &Model{}
	m.mu.commits = map[store.Revision][]store.Op{}
	return m
}

// Record notes what a commit did. Data of ops is kept; it must not change.
func (m *Model) Record(rev store.Revision, ops ...store.Op) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mu.commits[rev] != nil {
		return fmt.Errorf("two commits at revision %d", rev)
	}
	m.mu.commits[rev] = ops
	m.mu.last = max(m.mu.last, rev)
	return nil
}

// Last is the newest revision recorded.
func (m *Model) Last() store.Revision {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.last
}

// Forget drops the commits after rev: a crash took them.
func (m *Model) Forget(after store.Revision) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for rev := range m.mu.commits {
		if rev > after {
			delete(m.mu.commits, rev)
		}
	}
	m.mu.last = min(m.mu.last, after)
}

// Clone is a copy that can go its own way.
func (m *Model) Clone() *Model {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := NewModel()
	c.mu.commits = maps.Clone(m.mu.commits)
	c.mu.last = m.mu.last
	return c
}

// Version is what a Model or a Snapshot holds under a key.
type Version struct {
	Key      store.Key
	Revision store.Revision
	Created  store.Revision
	Data     string
}

// VersionOf is an item as the model sees it; nil gives nil.
func VersionOf(i *store.Item) *Version {
	if i == nil {
		return nil
	}
	return &Version{Key: i.Key, Revision: i.Revision, Created: i.Created, Data: string(i.Data)}
}

func (v *Version) String() string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf("%s@%d(%d)=%s", v.Key, v.Revision, v.Created, v.Data)
}

// Change is an Event as the model sees it.
type Change struct {
	Type store.EventType
	Item *Version
	Prev *Version
}

// ChangeOf translates an event.
func ChangeOf(e store.Event) Change {
	return Change{Type: e.Type, Item: VersionOf(e.Item), Prev: VersionOf(e.Prev)}
}

func (c Change) String() string {
	return fmt.Sprintf("%s %s was %s", [...]string{"?", "created", "updated", "deleted"}[c.Type], c.Item, c.Prev)
}

// State is all tables after one commit.
type State map[store.Key]*Version

// At is the state after the commit of rev.
func (m *Model) At(rev store.Revision) State {
	state, _ := m.replay(rev)
	return state
}

// Changes are the events of a table, oldest first.
func (m *Model) Changes(table string) []Change {
	_, changes := m.replay(m.Last())
	return slices.DeleteFunc(changes, func(c Change) bool { return c.Item.Key.Table != table })
}

func (m *Model) replay(to store.Revision) (State, []Change) {
	m.mu.Lock()
	defer m.mu.Unlock()
	state := State{}
	var changes []Change
	for _, rev := range slices.Sorted(maps.Keys(m.mu.commits)) {
		if rev > to {
			break
		}
		ops := slices.Clone(m.mu.commits[rev])
		slices.SortFunc(ops, func(a, b store.Op) int { return a.Key.Compare(b.Key) })
		for _, op := range ops {
			changes = append(changes, state.apply(rev, op))
		}
	}
	return state, changes
}

func (s State) apply(rev store.Revision, op store.Op) Change {
	prev := s[op.Key]
	now := &Version{Key: op.Key, Revision: rev, Created: rev, Data: string(op.Data)}
	c := Change{Type: store.Created, Item: now, Prev: prev}
	if prev != nil {
		c.Type, now.Created = store.Updated, prev.Created
	}
	s[op.Key] = now
	if op.Delete {
		c.Type = store.Deleted
		if op.Data == nil {
			now.Data = prev.Data
		}
		delete(s, op.Key)
	}
	return c
}

// list is what List must yield.
func (s State) list(table, namespace string, after store.Key) []*Version {
	var found []*Version
	for key, v := range s {
		past := key.Namespace > after.Namespace || key.Namespace == after.Namespace && key.Name > after.Name
		if key.Table == table && (namespace == "" || key.Namespace == namespace) && past {
			found = append(found, v)
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].Key.Compare(found[j].Key) < 0 })
	return found
}

// Tables are the names of the tables that hold something.
func (s State) tables() []string {
	names := map[string]bool{}
	for key := range s {
		names[key.Table] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// Compare says how a snapshot differs from the state, for the tables given and those that the state has.
func (s State) Compare(got store.Snapshot, tables ...string) error {
	for _, table := range append(s.tables(), tables...) {
		var listed []*Version
		for i := range got.List(table, "", store.Key{}) {
			listed = append(listed, VersionOf(i))
			if v := i.Value(); v != Decode(i) {
				return fmt.Errorf("value of %s at %d is %v", i.Key, i.Revision, v)
			}
		}
		want := s.list(table, "", store.Key{})
		if g, w := lines(listed), lines(want); g != w {
			return fmt.Errorf("%s at revision %d:\n%s\nwant:\n%s", table, got.Revision(), g, w)
		}
		if n := got.Len(table, ""); n != len(want) {
			return fmt.Errorf("length of %s at %d is %d, want %d", table, got.Revision(), n, len(want))
		}
	}
	return nil
}

func lines[T fmt.Stringer](values []T) string {
	var b strings.Builder
	for _, v := range values {
		b.WriteString(v.String())
		b.WriteByte('\n')
	}
	return b.String()
}
