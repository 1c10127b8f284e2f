// Package kinds is the table of what the cluster can hold: one row per resource.
//
// It is read-only after New. Adding a kind is one file in the folder of its group and one row in rows.go.
package kinds

import (
	"fmt"
	"reflect"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"proa/kinds/resource"
)

// Table finds resources by the names that the API, the store and Go give them.
type Table struct {
	rows    []*resource.Resource
	byTable map[string]*resource.Resource
	byType  map[reflect.Type]*resource.Resource
	byGVR   map[schema.GroupVersionResource]*resource.Resource
	byGVK   map[schema.GroupVersionKind]*resource.Resource
}

// New makes a table of rows; two rows of one name are a programming error and panic.
func New(rows ...*resource.Resource) *Table {
	t := &Table{
		byTable: map[string]*resource.Resource{},
		byType:  map[reflect.Type]*resource.Resource{},
		byGVR:   map[schema.GroupVersionResource]*resource.Resource{},
		byGVK:   map[schema.GroupVersionKind]*resource.Resource{},
	}
	for _, r := range rows {
		t.add(r)
	}
	return t
}

func (t *Table) add(r *resource.Resource) {
	if t.byTable[r.Table()] != nil {
		panic(fmt.Sprintf("kinds: two rows for %s", r.Table()))
	}
	t.rows = append(t.rows, r)
	t.byTable[r.Table()] = r
	t.byType[reflect.TypeOf(r.New())] = r
	gv := schema.GroupVersion{Group: r.Group, Version: r.Version}
	t.byGVR[gv.WithResource(r.Name)] = r
	t.byGVK[gv.WithKind(r.Kind)] = r
	for _, s := range r.Served {
		gv := schema.GroupVersion{Group: s.Group, Version: s.Version}
		t.byGVR[gv.WithResource(r.Name)] = r
		kind := s.Kind
		if kind == "" {
			kind = r.Kind
		}
		t.byGVK[gv.WithKind(kind)] = r
	}
}

// Rows lists every resource in table order.
func (t *Table) Rows() []*resource.Resource { return t.rows }

// ByTable finds a resource by its store name ("deployments.apps"), or returns nil.
func (t *Table) ByTable(name string) *resource.Resource { return t.byTable[name] }

// ByResource finds what a group version serves under a plural name, or returns nil.
func (t *Table) ByResource(gvr schema.GroupVersionResource) *resource.Resource { return t.byGVR[gvr] }

// ByKind finds a resource by a served group version kind, or returns nil.
func (t *Table) ByKind(gvk schema.GroupVersionKind) *resource.Resource { return t.byGVK[gvk] }

// Of finds the row of an object by its Go type (the stored version's), or returns nil.
func (t *Table) Of(obj resource.Object) *resource.Resource { return t.byType[reflect.TypeOf(obj)] }
