package patch

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"k8s.io/client-go/applyconfigurations"
	"sigs.k8s.io/structured-merge-diff/v6/schema"

	"proa/kinds"
	"proa/kinds/resource"
)

// TestPlansLikeSchemas compares the plans of all types of the scheme with those that client-go's schemas make.
func TestPlansLikeSchemas(t *testing.T) {
	scheme := kinds.NewScheme()
	schemas := applyconfigurations.NewTypeConverter(scheme)
	compared := 0
	for gvk, typ := range scheme.AllKnownTypes() {
		obj, ok := reflect.New(typ).Interface().(resource.Object)
		if !ok || gvk.Version == "__internal" {
			continue
		}
		obj.GetObjectKind().SetGroupVersionKind(gvk)
		typed, err := schemas.ObjectToTyped(obj)
		if err != nil {
			continue // what is only answered has no schema
		}
		s := schemaPlanner{schema: typed.Schema(), done: map[planKey]*plan{}}
		want, err := s.plan(typed.TypeRef(), typ)
		if err != nil {
			t.Fatal(err)
		}
		b := newPlanner()
		got, err := b.plan(typ, "")
		if err != nil {
			t.Errorf("%s: %v", gvk, err)
			continue
		}
		comparePlans(t, got, want, typ, gvk.Kind, map[*plan]bool{})
		compared++
	}
	if compared < len(kinds.Builtin().Rows())/2 {
		t.Errorf("only %d types have been compared", compared)
	}
}

func comparePlans(t *testing.T, got, want *plan, typ reflect.Type, at string, seen map[*plan]bool) {
	t.Helper()
	if seen[got] && got.shape == structShape {
		return
	}
	seen[got] = true
	if got.shape != want.shape || !slices.EqualFunc(got.keys, want.keys, func(a, b keyPlan) bool {
		return a.name == b.name && slices.Equal(a.index, b.index) && a.omitEmpty == b.omitEmpty && a.fallback == b.fallback
	}) {
		t.Errorf("%s, a %s: shape %d, keys %+v; the schema wants shape %d, keys %+v", at, typ, got.shape, got.keys, want.shape, want.keys)
		return
	}
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if got.elem != nil {
		comparePlans(t, got.elem, want.elem, typ.Elem(), at+"[]", seen)
	}
	if len(got.fields) != len(want.fields) {
		t.Errorf("%s, a %s: %d fields, the schema has %d", at, typ, len(got.fields), len(want.fields))
		return
	}
	for i, g := range got.fields {
		w := want.fields[i]
		if g.step != w.step || !slices.Equal(g.index, w.index) || g.omitEmpty != w.omitEmpty || g.omitZero != w.omitZero {
			t.Errorf("%s: field %+v, the schema wants %+v", at, g, w)
			continue
		}
		comparePlans(t, g.plan, w.plan, typ.FieldByIndex(g.index).Type, at+"."+strings.TrimPrefix(g.step, "f:"), seen)
	}
}

// schemaPlanner works out plans from client-go's schemas. It is what planner must agree with; the product does without,
// for parsing the schemas takes as long as all the rest of starting a cluster.
type schemaPlanner struct {
	schema *schema.Schema
	done   map[planKey]*plan
}

type planKey struct {
	name     string
	relation schema.ElementRelationship // where a field has another than its type
	typ      reflect.Type
}

func (b *schemaPlanner) plan(ref schema.TypeRef, t reflect.Type) (*plan, error) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	key := planKey{typ: t}
	if ref.NamedType != nil {
		key.name = *ref.NamedType
		if ref.ElementRelationship != nil {
			key.relation = *ref.ElementRelationship
		}
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

func (b *schemaPlanner) fillElem(p *plan, ref schema.TypeRef, t reflect.Type) (err error) {
	p.elem, err = b.plan(ref, t.Elem())
	return err
}

func (b *schemaPlanner) fillStruct(p *plan, m *schema.Map, t reflect.Type, at []int) error {
	defer func() {
		slices.SortFunc(p.fields, func(a, b fieldPlan) int { return strings.Compare(a.step, b.step) })
	}()
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

func (b *schemaPlanner) fillList(p *plan, l *schema.List, t reflect.Type) error {
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
		k.fallback = ""
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
