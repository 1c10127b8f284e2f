package main

import (
	_ "embed"
	"fmt"
	"reflect"
	"slices"
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
	table      string // the same for all versions of a resource
	gvk        schema.GroupVersionKind
	plural     string
	namespaced bool
	virtual    bool     // answers, stores nothing
	fields     []string // selectable ones
	doors      []string // subresources that take the object itself, and scale
	shared     []string // names of objects that every run begins with; changes of any are only tried
	goType     reflect.Type
	seeds      []map[string]any
}

// customs are the kinds of shared.yaml.
var customs = []target{
	{table: "widgets", gvk: schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Widget"}, plural: "widgets", namespaced: true,
		fields: []string{"spec.size", "spec.replicas"}, doors: []string{"status", "scale"}, goType: reflect.TypeFor[widget]()},
	{table: "widgets", gvk: schema.GroupVersionKind{Group: "example.com", Version: "v1beta1", Kind: "Widget"}, plural: "widgets", namespaced: true,
		doors: []string{"status"}, goType: reflect.TypeFor[widget]()},
	{table: "gadgets", gvk: schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Gadget"}, plural: "gadgets", goType: reflect.TypeFor[gadget]()},
}

// sharedNames are the objects of a kind that are there from the beginning.
var sharedNames = map[string][]string{
	"CustomResourceDefinition": {"widgets.example.com", "gadgets.example.com"},
	"FlowSchema":               {"shared"},
	"APIService":               {"v1.apps", "v1."},
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
			made, err := targetOf(table, scheme, gvk)
			if err != nil {
				return nil, fmt.Errorf("read seed %d: %w", i+1, err)
			}
			known[gvk] = made
			all = append(all, made)
		}
		known[gvk].seeds = append(known[gvk].seeds, seed)
	}
	return all, nil
}

func targetOf(table *kinds.Table, scheme *runtime.Scheme, gvk schema.GroupVersionKind) (*target, error) {
	for _, c := range customs {
		if c.gvk == gvk {
			return &c, nil
		}
	}
	row := table.ByKind(gvk)
	if row == nil {
		return nil, fmt.Errorf("%s is not served", gvk)
	}
	obj, err := scheme.New(gvk)
	if err != nil {
		return nil, err
	}
	return &target{table: row.Table(), gvk: gvk, plural: row.Name, namespaced: row.Namespaced, virtual: row.Virtual, fields: row.FieldLabels,
		doors: doorsOf(row), shared: sharedNames[gvk.Kind], goType: reflect.TypeOf(obj).Elem()}, nil
}

// doorsOf are the subresources of a row that take the object itself, and scale.
func doorsOf(row *resource.Resource) []string {
	var doors []string
	if row.Status != nil {
		doors = append(doors, "status")
	}
	if row.Scale != nil {
		doors = append(doors, "scale")
	}
	for _, s := range row.Subresources {
		if s.Body.Empty() && s.Name == "approval" {
			doors = append(doors, s.Name)
		}
	}
	return doors
}

// only keeps the targets of resources that are named, such as "pods" or "flowschemas"; all, if there is no name.
func only(all []*target, names []string) []*target {
	return slices.DeleteFunc(slices.Clone(all), func(t *target) bool { return len(names) > 0 && !slices.Contains(names, t.plural) })
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
	case "CustomResourceDefinition":
		return map[string]string{"a": "things", "b": "things"}[short] + ".{ns}.example.com"
	case "APIService":
		return map[string]string{"a": "v1", "b": "v1"}[short] + ".{ns}.example.com"
	case "IPAddress":
		return "{net}::" + strings.NewReplacer("missing", "e", "g-", "f").Replace(short)
	}
	return "{ns}-" + short
}

// own narrows a list of what has no namespace to the history's own.
func (t *target) own() string {
	if t.namespaced {
		return ""
	}
	return "history={ns}"
}

// has says whether the kind has a subresource.
func (t *target) has(subresource string) bool { return slices.Contains(t.doors, subresource) }
