package main

import (
	_ "embed"
	"fmt"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"proa/kinds"
	"proa/kinds/resource"
)

//go:embed seeds.yaml
var seedText string

// target is a resource in one of its versions, and what the generator knows of it.
type target struct {
	row        *resource.Resource
	gvk        schema.GroupVersionKind
	plural     string
	namespaced bool
	virtual    bool // answers, stores nothing
	goType     reflect.Type
	seeds      []map[string]any
}

// targets are the kinds of seeds.yaml that Proa serves. A seed of a kind that it does not serve is an error.
func targets(table *kinds.Table, scheme *runtime.Scheme) ([]*target, error) {
	var all []*target
	known := map[schema.GroupVersionKind]*target{}
	for i, text := range strings.Split(seedText, "\n---\n") {
		var seed map[string]any
		if err := yaml.Unmarshal([]byte(text), &seed); err != nil {
			return nil, fmt.Errorf("read seed %d: %w", i+1, err)
		}
		gvk := schema.FromAPIVersionAndKind(fmt.Sprint(seed["apiVersion"]), fmt.Sprint(seed["kind"]))
		if known[gvk] == nil {
			row := table.ByKind(gvk)
			if row == nil {
				return nil, fmt.Errorf("read seed %d: %s is not served", i+1, gvk)
			}
			obj, err := scheme.New(gvk)
			if err != nil {
				return nil, fmt.Errorf("read seed %d: %w", i+1, err)
			}
			known[gvk] = &target{row: row, gvk: gvk, plural: row.Name, namespaced: row.Namespaced, virtual: row.Virtual, goType: reflect.TypeOf(obj).Elem()}
			all = append(all, known[gvk])
		}
		known[gvk].seeds = append(known[gvk].seeds, seed)
	}
	return all, nil
}

// collection is the path of all objects, of the history's namespace if they have one.
func (t *target) collection() string {
	path := "/apis/" + t.gvk.Group + "/" + t.gvk.Version
	if t.gvk.Group == "" {
		path = "/api/" + t.gvk.Version
	}
	if t.namespaced {
		path += "/namespaces/{ns}"
	}
	return path + "/" + t.plural
}

// name makes a short name one of the kind's: what has no namespace carries the history's.
func (t *target) name(short string) string {
	if t.namespaced {
		return short
	}
	switch t.gvk.Kind {
	case "CSIDriver":
		return short + ".{ns}.example.com"
	}
	return "{ns}-" + short
}

// selector narrows a list of what has no namespace to the history's own.
func (t *target) own() string {
	if t.namespaced {
		return ""
	}
	return "history={ns}"
}

// subresources are those that both servers have.
func (t *target) has(subresource string) bool {
	if subresource == "status" {
		return t.row.Status != nil
	}
	if subresource == "scale" {
		return t.row.Scale != nil
	}
	return false
}
