package patch

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"sigs.k8s.io/structured-merge-diff/v6/schema"
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

// plan is how to compare two values of one Go type: client-go's schema of the type, worked out once against the Go type,
// so that a comparison looks nothing up.
type plan struct {
	shape  shape
	fields []fieldPlan // structShape
	elem   *plan       // of maps and lists
	keys   []keyPlan   // keyedShape, sorted by name
}

type fieldPlan struct {
	step      string // "f:name"
	index     []int
	omitEmpty bool
	omitZero  bool
	plan      *plan
}

type keyPlan struct {
	name      string
	index     []int
	omitEmpty bool
	fallback  string // JSON of the default; "" if there is none
}

// planner works out plans of one schema.
type planner struct {
	schema *schema.Schema
	done   map[planKey]*plan
}

type planKey struct {
	name string
	typ  reflect.Type
}

func (b *planner) plan(ref schema.TypeRef, t reflect.Type) (*plan, error) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	key := planKey{typ: t}
	if ref.NamedType != nil {
		key.name = *ref.NamedType
		if p := b.done[key]; p != nil {
			return p, nil
		}
	}
	atom, ok := b.schema.Resolve(ref)
	if !ok {
		return nil, fmt.Errorf("plan %v: schema names an unknown type", t)
	}
	p := &plan{}
	if key.name != "" {
		b.done[key] = p
	}
	switch {
	case atom.Scalar != nil: // or anything at all, which is compared as a whole
	case atom.Map != nil && atom.Map.ElementRelationship != schema.Atomic && t.Kind() == reflect.Struct:
		return p, b.fillStruct(p, atom.Map, t, nil)
	case atom.Map != nil && atom.Map.ElementRelationship != schema.Atomic && t.Kind() == reflect.Map:
		p.shape = mapShape
		return p, b.fillElem(p, atom.Map.ElementType, t)
	case atom.List != nil && atom.List.ElementRelationship == schema.Associative && t.Kind() == reflect.Slice:
		return p, b.fillList(p, atom.List, t)
	}
	return p, nil
}

func (b *planner) fillElem(p *plan, ref schema.TypeRef, t reflect.Type) (err error) {
	p.elem, err = b.plan(ref, t.Elem())
	return err
}

func (b *planner) fillStruct(p *plan, m *schema.Map, t reflect.Type, at []int) error {
	p.shape = structShape
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		index := append(slices.Clone(at), i)
		if strings.Contains(options, "inline") || f.Anonymous && name == "" {
			inner := f.Type
			if inner.Kind() == reflect.Pointer {
				return fmt.Errorf("plan %v: inline pointer", t)
			}
			if err := b.fillStruct(p, m, inner, index); err != nil {
				return err
			}
			continue
		}
		if name == "" || name == "-" {
			continue
		}
		ref := m.ElementType
		if sf, ok := m.FindField(name); ok {
			ref = sf.Type
		} else if ref == (schema.TypeRef{}) {
			continue // no part of the schema
		}
		child, err := b.plan(ref, f.Type)
		if err != nil {
			return err
		}
		p.fields = append(p.fields, fieldPlan{step: "f:" + name, index: index, plan: child,
			omitEmpty: strings.Contains(options, "omitempty"), omitZero: strings.Contains(options, "omitzero")})
	}
	return nil
}

func (b *planner) fillList(p *plan, l *schema.List, t reflect.Type) error {
	if len(l.Keys) == 0 {
		p.shape = valuesShape
		return b.fillElem(p, l.ElementType, t)
	}
	p.shape = keyedShape
	if err := b.fillElem(p, l.ElementType, t); err != nil {
		return err
	}
	atom, _ := b.schema.Resolve(l.ElementType)
	element := t.Elem()
	for element.Kind() == reflect.Pointer {
		element = element.Elem()
	}
	for _, name := range slices.Sorted(slices.Values(l.Keys)) {
		k, err := keyOf(element, name)
		if err != nil {
			return err
		}
		if sf, ok := atom.Map.FindField(name); ok && sf.Default != nil {
			text, err := json.Marshal(sf.Default)
			if err != nil {
				return fmt.Errorf("plan %v: %w", t, err)
			}
			k.fallback = string(text)
		}
		p.keys = append(p.keys, k)
	}
	return nil
}

// keyOf finds the field of an element that is part of its name.
func keyOf(element reflect.Type, name string) (keyPlan, error) {
	if element.Kind() == reflect.Struct {
		for _, f := range reflect.VisibleFields(element) { // those of inlined structs too
			tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			if tag == name {
				return keyPlan{name: name, index: f.Index, omitEmpty: strings.Contains(options, "omitempty")}, nil
			}
		}
	}
	return keyPlan{}, fmt.Errorf("plan %v: no key %q", element, name)
}
