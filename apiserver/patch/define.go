package patch

import (
	"reflect"
	"strings"

	"sigs.k8s.io/structured-merge-diff/v6/schema"
)

// untyped is the name under which client-go's schemas have what may be anything, and is owned as a whole.
const untyped = "__untyped_atomic_"

// definer makes schemas of field ownership from Go types, for kinds that client-go has no schemas of.
type definer struct {
	known *schema.Schema // referred to by name
	types []schema.TypeDef
	done  map[string]bool
}

// define makes the type, and all that it refers to, and returns its name.
func (d *definer) define(t reflect.Type) string {
	name := t.PkgPath() + "." + t.Name()
	if m, ok := reflect.Zero(t).Interface().(interface{ OpenAPIModelName() string }); ok {
		name = m.OpenAPIModelName()
	}
	if _, known := d.known.FindNamedType(name); known || d.done[name] {
		return name
	}
	d.done[name] = true
	def := schema.TypeDef{Name: name}
	if atomic[t] || reflect.PointerTo(t).Implements(marshaler) {
		if anything, ok := d.known.FindNamedType(untyped); ok {
			def.Atom = anything.Atom
		}
	} else {
		def.Map = &schema.Map{Fields: d.fields(t)}
	}
	d.types = append(d.types, def)
	return name
}

func (d *definer) fields(t reflect.Type) []schema.StructField {
	var fields []schema.StructField
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case !f.IsExported() || name == "-":
		case name == "" && (f.Anonymous || strings.Contains(options, "inline")):
			fields = append(fields, d.fields(f.Type)...)
		default:
			made := schema.StructField{Name: name, Type: d.field(t, f)}
			if !strings.Contains(options, "omitempty") {
				made.Default = zeroOf(f.Type)
			}
			fields = append(fields, made)
		}
	}
	return fields
}

// zeroOf is the value of a field that is always written, where it is a scalar: an element of a list that lacks it is named by
// that value. nil: it has none.
func zeroOf(t reflect.Type) any {
	switch t.Kind() {
	case reflect.String:
		return ""
	case reflect.Bool:
		return false
	case reflect.Int32, reflect.Int64:
		return 0
	}
	return nil
}

// field is the type of a field, with what the table of relations says of it.
func (d *definer) field(t reflect.Type, f reflect.StructField) schema.TypeRef {
	ref := d.ref(f.Type, f.Tag)
	keys, special := relations[fieldName{t, f.Name}]
	if list := ref.Inlined.List; special && list != nil {
		switch {
		case len(keys) == 0:
			list.ElementRelationship, list.Keys = schema.Atomic, nil
		case keys[0] == itself:
			list.ElementRelationship, list.Keys = schema.Associative, nil
		default:
			list.ElementRelationship, list.Keys = schema.Associative, keys
		}
	}
	return ref
}

func (d *definer) ref(t reflect.Type, tag reflect.StructTag) schema.TypeRef {
	switch t.Kind() {
	case reflect.Pointer:
		return d.ref(t.Elem(), tag)
	case reflect.Struct:
		return schema.TypeRef{NamedType: new(d.define(t))}
	case reflect.Map:
		return schema.TypeRef{Inlined: schema.Atom{Map: &schema.Map{ElementType: d.ref(t.Elem(), "")}}}
	case reflect.Slice:
		if t.Elem().Kind() != reflect.Uint8 {
			return schema.TypeRef{Inlined: schema.Atom{List: d.list(t, tag)}}
		}
		return scalarRef(schema.String)
	case reflect.String:
		return scalarRef(schema.String)
	case reflect.Bool:
		return scalarRef(schema.Boolean)
	case reflect.Interface:
		return schema.TypeRef{NamedType: new(untyped)}
	}
	return scalarRef(schema.Numeric)
}

// list is merged item by item where strategic merge does so too, and owned as a whole elsewhere.
func (d *definer) list(t reflect.Type, tag reflect.StructTag) *schema.List {
	list := &schema.List{ElementType: d.ref(t.Elem(), ""), ElementRelationship: schema.Atomic}
	if strings.Contains(tag.Get("patchStrategy"), "merge") {
		list.ElementRelationship = schema.Associative
		if key := tag.Get("patchMergeKey"); key != "" {
			list.Keys = []string{key}
		}
	}
	return list
}

func scalarRef(s schema.Scalar) schema.TypeRef {
	return schema.TypeRef{Inlined: schema.Atom{Scalar: &s}}
}
