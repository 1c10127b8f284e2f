// Package kinds is the table of what the cluster can hold: one row per resource.
//
// The built-in rows are fixed by New: adding a kind is one file in the folder of its group and one row in rows.go. Rows of
// kinds that users define are replaced as a whole while the cluster runs, by package custom alone; whoever looks something up
// sees the rows of before or of after.
package kinds

import (
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"proa/kinds/resource"
)

// Table finds resources by the names that the API, the store and Go give them. Built-in rows are found without a look at the
// custom ones: who uses none pays nothing for them.
type Table struct {
	builtin *rows
	byType  map[reflect.Type]*resource.Resource
	custom  atomic.Pointer[customRows]
	mu      sync.Mutex // one SetCustom at a time
}

// rows are found by their names.
type rows struct {
	list    []*resource.Resource
	byTable map[string]*resource.Resource
	byGVR   map[schema.GroupVersionResource]*resource.Resource
	byGVK   map[schema.GroupVersionKind]*resource.Resource
}

// customRows never change once they are in the table.
type customRows struct {
	*rows
	all        []*resource.Resource // the built-in ones too
	generation uint64
	replaced   chan struct{}
}

func newRows() *rows {
	return &rows{
		byTable: map[string]*resource.Resource{},
		byGVR:   map[schema.GroupVersionResource]*resource.Resource{},
		byGVK:   map[schema.GroupVersionKind]*resource.Resource{},
	}
}

// New makes a table of built-in rows; two rows of one name are a programming error and panic.
func New(list ...*resource.Resource) *Table {
	t := &Table{builtin: newRows(), byType: map[reflect.Type]*resource.Resource{}}
	for _, r := range list {
		if t.builtin.byTable[r.Table()] != nil {
			panic(fmt.Sprintf("kinds: two rows for %s", r.Table()))
		}
		t.builtin.add(r)
		t.byType[reflect.TypeOf(r.New())] = r
	}
	t.custom.Store(&customRows{rows: newRows(), all: t.builtin.list, replaced: make(chan struct{})})
	return t
}

func (x *rows) add(r *resource.Resource) {
	x.list = append(x.list, r)
	x.byTable[r.Table()] = r
	x.name(r)
	for _, s := range r.Served {
		gv := schema.GroupVersion{Group: s.Group, Version: s.Version}
		x.byGVR[gv.WithResource(r.Name)] = r
		kind := s.Kind
		if kind == "" {
			kind = r.Kind
		}
		x.byGVK[gv.WithKind(kind)] = r
	}
}

// name lets the row be found by its own group version.
func (x *rows) name(r *resource.Resource) {
	gv := schema.GroupVersion{Group: r.Group, Version: r.Version}
	x.byGVR[gv.WithResource(r.Name)] = r
	x.byGVK[gv.WithKind(r.Kind)] = r
}

// SetCustom replaces the rows of all kinds that users defined by these, each of the version in which a kind is stored. A row
// that has the name of a built-in one is never found.
func (t *Table) SetCustom(list []*resource.Resource) {
	t.mu.Lock()
	defer t.mu.Unlock()
	next := &customRows{rows: newRows(), replaced: make(chan struct{})}
	for _, r := range list {
		next.list = append(next.list, r)
		next.byTable[r.Table()] = r
		for _, version := range r.Custom.Versions {
			next.name(version)
		}
	}
	next.all = append(t.builtin.list[:len(t.builtin.list):len(t.builtin.list)], next.list...)
	last := t.custom.Load()
	next.generation = last.generation + 1
	t.custom.Store(next)
	close(last.replaced)
}

// Generation counts the calls of SetCustom: while it is the same, so is the table.
func (t *Table) Generation() uint64 { return t.custom.Load().generation }

// Custom lists the rows of kinds that users defined, each of the version in which it is stored. replaced is closed when the
// list is no longer current.
func (t *Table) Custom() (list []*resource.Resource, replaced <-chan struct{}) {
	now := t.custom.Load()
	return now.list, now.replaced
}

// Rows lists every resource in table order, custom ones by the version in which they are stored.
func (t *Table) Rows() []*resource.Resource { return t.custom.Load().all }

// ByTable finds a resource by its store name ("deployments.apps"), or returns nil.
func (t *Table) ByTable(name string) *resource.Resource {
	if r := t.builtin.byTable[name]; r != nil {
		return r
	}
	return t.custom.Load().byTable[name]
}

// ByResource finds what a group version serves under a plural name, or returns nil. A custom row is that of the version.
func (t *Table) ByResource(gvr schema.GroupVersionResource) *resource.Resource {
	if r := t.builtin.byGVR[gvr]; r != nil {
		return r
	}
	return t.custom.Load().byGVR[gvr]
}

// ByKind finds a resource by a served group version kind, or returns nil. A custom row is that of the version.
func (t *Table) ByKind(gvk schema.GroupVersionKind) *resource.Resource {
	if r := t.builtin.byGVK[gvk]; r != nil {
		return r
	}
	return t.custom.Load().byGVK[gvk]
}

// Of finds the row of an object by its Go type (the stored version's), or for custom ones by the kind that it names, or
// returns nil.
func (t *Table) Of(obj resource.Object) *resource.Resource {
	if r := t.byType[reflect.TypeOf(obj)]; r != nil {
		return r
	}
	return t.custom.Load().byGVK[obj.GetObjectKind().GroupVersionKind()]
}
