package discovery

import (
	"encoding/json"
	"reflect"
	"sort"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// definitions describes Go types as schemas, each once, with everything that they are made of.
//
// What the API's types carry themselves is enough: names, documentation and formats as methods, merge keys as tags. Which lists
// have keys is said only in the schemas of client-go; see listTypes.
type definitions struct {
	scheme *runtime.Scheme
	lists  *listTypes
	v2     bool // OpenAPI 2 has no oneOf; upstream leaves defaults out of it too, which old clients read differently
	all    spec.Definitions
}

// ref refers to a type's definition, making it if it is new.
func (d *definitions) ref(t reflect.Type) spec.Schema {
	name := modelName(t)
	if _, ok := d.all[name]; !ok {
		d.all[name] = spec.Schema{} // a type may hold itself
		d.all[name] = d.definition(t, name)
	}
	return *spec.RefSchema("#/definitions/" + name)
}

// modelName is how upstream names the type's definition.
func modelName(t reflect.Type) string {
	if m, ok := reflect.Zero(t).Interface().(interface{ OpenAPIModelName() string }); ok {
		return m.OpenAPIModelName()
	}
	return strings.NewReplacer("/", ".", "-", "_").Replace(t.PkgPath()) + "." + t.Name()
}

func (d *definitions) definition(t reflect.Type, name string) spec.Schema {
	docs := swaggerDoc(t)
	s := spec.Schema{SchemaProps: spec.SchemaProps{Description: docs[""]}}
	if special, ok := ownFormat(t); ok {
		special.Description = docs[""]
		if !d.v2 {
			oneOf(&special, t)
		}
		return special
	}
	s.Type = spec.StringOrArray{"object"}
	s.Properties = map[string]spec.Schema{}
	d.fields(&s, t, name)
	if d.lists.atomic(name) {
		s.AddExtension("x-kubernetes-map-type", "atomic")
	}
	if kinds := d.kindsOf(t); len(kinds) > 0 {
		s.AddExtension("x-kubernetes-group-version-kind", kinds)
	}
	return s
}

// fields adds the fields of a struct, and of those that are embedded in it, as encoding/json sees them.
func (d *definitions) fields(s *spec.Schema, t reflect.Type, model string) {
	docs := swaggerDoc(t)
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || !f.IsExported() {
			continue
		}
		if name == "" {
			if f.Anonymous || strings.Contains(options, "inline") {
				d.fields(s, f.Type, model)
			}
			continue
		}
		field := d.schemaOf(f.Type)
		field.Description = docs[name]
		if strategy := f.Tag.Get("patchStrategy"); strategy != "" {
			field.AddExtension("x-kubernetes-patch-strategy", strategy)
		}
		if key := f.Tag.Get("patchMergeKey"); key != "" {
			field.AddExtension("x-kubernetes-patch-merge-key", key)
		}
		d.lists.describe(&field, model, name)
		if d.v2 {
			field.Default = nil
		}
		s.Properties[name] = field
		if required(f, options, model, name) {
			s.Required = append(s.Required, name)
		}
	}
}

// schemaOf describes the type of a field.
func (d *definitions) schemaOf(t reflect.Type) spec.Schema {
	if t.Kind() == reflect.Pointer {
		return d.schemaOf(t.Elem())
	}
	if _, ok := ownFormat(t); ok && t.Name() != "" {
		return d.ref(t)
	}
	simple := func(kind, format string) spec.Schema {
		return spec.Schema{SchemaProps: spec.SchemaProps{Type: spec.StringOrArray{kind}, Format: format}}
	}
	switch t.Kind() {
	case reflect.String:
		return simple("string", "")
	case reflect.Bool:
		return simple("boolean", "")
	case reflect.Int32, reflect.Int16, reflect.Int8, reflect.Uint16, reflect.Uint8:
		return simple("integer", "int32")
	case reflect.Int, reflect.Int64, reflect.Uint32, reflect.Uint64, reflect.Uint:
		return simple("integer", "int64")
	case reflect.Float32:
		return simple("number", "float")
	case reflect.Float64:
		return simple("number", "double")
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return simple("string", "byte")
		}
		s, items := simple("array", ""), d.schemaOf(t.Elem())
		s.Items = &spec.SchemaOrArray{Schema: &items}
		return s
	case reflect.Map:
		s, values := simple("object", ""), d.schemaOf(t.Elem())
		s.AdditionalProperties = &spec.SchemaOrBool{Allows: true, Schema: &values}
		return s
	case reflect.Struct:
		return d.ref(t)
	}
	return simple("object", "") // an interface: anything
}

// ownFormat is the form of a type that writes itself in JSON as something else than its fields, such as a time.
func ownFormat(t reflect.Type) (spec.Schema, bool) {
	v, ok := reflect.Zero(t).Interface().(interface {
		OpenAPISchemaType() []string
		OpenAPISchemaFormat() string
	})
	if !ok {
		return spec.Schema{}, false
	}
	return spec.Schema{SchemaProps: spec.SchemaProps{Type: v.OpenAPISchemaType(), Format: v.OpenAPISchemaFormat()}}, true
}

// oneOf says of a type that can be written in several ways, such as a port by number or name, which these are.
func oneOf(s *spec.Schema, t reflect.Type) {
	v, ok := reflect.Zero(t).Interface().(interface{ OpenAPIV3OneOfTypes() []string })
	if !ok {
		return
	}
	s.Type = nil
	for _, name := range v.OpenAPIV3OneOfTypes() {
		s.OneOf = append(s.OneOf, spec.Schema{SchemaProps: spec.SchemaProps{Type: spec.StringOrArray{name}}})
	}
}

func swaggerDoc(t reflect.Type) map[string]string {
	if v, ok := reflect.Zero(t).Interface().(interface{ SwaggerDoc() map[string]string }); ok {
		return v.SwaggerDoc()
	}
	return nil
}

// kindsOf lists the kinds that a type is registered as.
func (d *definitions) kindsOf(t reflect.Type) []any {
	obj, ok := reflect.New(t).Interface().(runtime.Object)
	if !ok {
		return nil
	}
	gvks, _, err := d.scheme.ObjectKinds(obj)
	if err != nil {
		return nil
	}
	sort.Slice(gvks, func(i, j int) bool { return gvks[i].String() < gvks[j].String() })
	var kinds []any
	for _, gvk := range gvks {
		if gvk.Version != runtime.APIVersionInternal {
			kinds = append(kinds, map[string]any{"group": gvk.Group, "version": gvk.Version, "kind": gvk.Kind})
		}
	}
	return kinds
}

// plain turns a value into what encoding/json would read it as.
func plain(v any) any {
	var out any
	data, err := json.Marshal(v)
	if err != nil || json.Unmarshal(data, &out) != nil {
		return nil
	}
	return out
}
