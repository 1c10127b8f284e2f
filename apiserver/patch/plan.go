package patch

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// shape says how the fields below a value are owned.
type shape uint8

const (
	leafShape   shape = iota // as a whole: scalars, and what the API calls atomic
	structShape              // field by field
	mapShape                 // key by key
	keyedShape               // a list, element by element, named by some of their fields
	valuesShape              // a list, element by element, named by their values
)

// plan is how to compare two values of one Go type, worked out once, so that a comparison looks nothing up.
type plan struct {
	shape  shape
	fields []fieldPlan // structShape, sorted by step as sets are
	elem   *plan       // of maps and lists
	keys   []keyPlan   // keyedShape, sorted by name
}

type fieldPlan struct {
	step      string // "f:name"
	index     []int
	omitEmpty bool
	omitZero  bool
	plan      *plan
	mergeKey  *keyPlan // by which a strategic merge patch merges the list; nil: it replaces the value, or has its own rules
}

type keyPlan struct {
	name      string
	index     []int
	omitEmpty bool
	fallback  string // JSON of the default; "" if there is none
}

// planner works out plans of Go types from the tags that say how lists are merged, and from what atomic and relations say
// beside them. client-go's schemas say the same, but take a tenth of a second and 19 MB to parse (TestPlansLikeSchemas).
type planner struct {
	done map[reflect.Type]*plan // of structs, which may hold themselves
}

func newPlanner() planner { return planner{done: map[reflect.Type]*plan{}} }

var marshaler = reflect.TypeFor[json.Marshaler]()

// plan is the plan of values of a type, in a field with these tags.
func (b *planner) plan(t reflect.Type, tag reflect.StructTag) (*plan, error) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case atomic[t] || reflect.PointerTo(t).Implements(marshaler):
	case t.Kind() == reflect.Struct:
		if p := b.done[t]; p != nil {
			return p, nil
		}
		p := &plan{shape: structShape}
		b.done[t] = p
		return p, b.fillStruct(p, t)
	case t.Kind() == reflect.Map:
		return b.filled(mapShape, t)
	case t.Kind() == reflect.Slice && strings.Contains(tag.Get("patchStrategy"), "merge"):
		if key := tag.Get("patchMergeKey"); key != "" {
			return b.keyed(t, key)
		}
		return b.filled(valuesShape, t)
	}
	return &plan{}, nil
}

func (b *planner) filled(s shape, t reflect.Type) (*plan, error) {
	elem, err := b.plan(t.Elem(), "")
	return &plan{shape: s, elem: elem}, err
}

func (b *planner) keyed(t reflect.Type, names ...string) (*plan, error) {
	p, err := b.filled(keyedShape, t)
	if err != nil {
		return nil, err
	}
	element := t.Elem()
	for element.Kind() == reflect.Pointer {
		element = element.Elem()
	}
	for _, name := range names {
		name, fallback, _ := strings.Cut(name, "=")
		k, err := keyOf(element, name)
		if err != nil {
			return nil, err
		}
		if fallback != "" {
			k.fallback = fallback
		}
		p.keys = append(p.keys, k)
	}
	return p, nil
}

func (b *planner) fillStruct(p *plan, t reflect.Type) error {
	err := b.addFields(p, t, nil)
	slices.SortFunc(p.fields, func(a, b fieldPlan) int { return strings.Compare(a.step, b.step) })
	return err
}

// addFields adds the fields of a struct, which stands at an index of the one that the plan is for.
func (b *planner) addFields(p *plan, t reflect.Type, at []int) error {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		index := append(slices.Clone(at), i)
		if strings.Contains(options, "inline") || f.Anonymous && name == "" {
			if f.Type.Kind() == reflect.Pointer {
				return fmt.Errorf("plan %v: inline pointer", t)
			}
			if err := b.addFields(p, f.Type, index); err != nil {
				return err
			}
			continue
		}
		if name == "" || name == "-" {
			continue
		}
		child, err := b.field(t, f)
		if err != nil {
			return err
		}
		planned := fieldPlan{step: "f:" + name, index: index, plan: child,
			omitEmpty: strings.Contains(options, "omitempty"), omitZero: strings.Contains(options, "omitzero")}
		if key := f.Tag.Get("patchMergeKey"); key != "" && f.Tag.Get("patchStrategy") == "merge" && child.shape == keyedShape && f.Type.Elem().Kind() == reflect.Struct {
			k, err := keyOf(f.Type.Elem(), key)
			if err != nil {
				return err
			}
			planned.mergeKey = &k
		}
		p.fields = append(p.fields, planned)
	}
	return nil
}

func (b *planner) field(t reflect.Type, f reflect.StructField) (*plan, error) {
	keys, special := relations[fieldName{t, f.Name}]
	switch {
	case granular[fieldName{t, f.Name}]:
		inner := f.Type
		for inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		p := &plan{shape: structShape}
		return p, b.fillStruct(p, inner)
	case special && len(keys) == 0:
		return &plan{}, nil
	case special && keys[0] == itself:
		return b.filled(valuesShape, f.Type)
	case special:
		return b.keyed(f.Type, keys...)
	}
	return b.plan(f.Type, f.Tag)
}

// keyOf finds the field of an element that is part of its name.
func keyOf(element reflect.Type, name string) (keyPlan, error) {
	if element.Kind() == reflect.Struct {
		for _, f := range reflect.VisibleFields(element) { // those of inlined structs too
			tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			if tag == name {
				k := keyPlan{name: name, index: f.Index, omitEmpty: strings.Contains(options, "omitempty")}
				if !k.omitEmpty { // then its zero value is written, and counts as the default
					zero, err := json.Marshal(reflect.Zero(f.Type).Interface())
					k.fallback = string(zero)
					return k, err
				}
				return k, nil
			}
		}
	}
	return keyPlan{}, fmt.Errorf("plan %v: no key %q", element, name)
}
