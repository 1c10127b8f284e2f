package patch

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"

	"proa/kinds/meta"
)

// differ compares two objects by a plan. What is there only in the new one, or is different there, is changed; what is
// there only in the old one is removed.
type differ struct {
	changed, removed set
	path             []step
	scratch          []byte
	unsure           bool // a list names an element twice, or leaves out its key: upstream's slow way knows what to do
}

// step is one step of the path; of an element of a list it is spelled only when something is found below.
type step struct {
	text    string
	list    *plan // the list, if text is yet to be spelled
	element reflect.Value
}

// mark puts the path into one of the sets.
func (d *differ) mark(s *set) {
	for i := range d.path {
		at := &d.path[i]
		if at.list != nil {
			at.text = d.spell(at.list, at.element)
			at.list = nil
		}
		s = s.behind(at.text)
	}
	s.member = true
}

// object compares the fields of two objects, but those that nobody owns.
func (d *differ) object(p *plan, old, obj reflect.Value, skip func(under, step string) bool) {
	for i := range p.fields {
		f := &p.fields[i]
		switch {
		case skip("", f.step):
		case f.step == "f:metadata":
			d.path = append(d.path, step{text: f.step})
			d.metadata(f.plan, old.FieldByIndex(f.index), obj.FieldByIndex(f.index), skip)
			d.path = d.path[:0]
		default:
			d.field(f, old, obj)
		}
	}
}

// ownerless metadata is the server's.
var ownerless = map[string]bool{"f:name": true, "f:namespace": true, "f:creationTimestamp": true, "f:selfLink": true, "f:uid": true,
	"f:generation": true, "f:managedFields": true, "f:resourceVersion": true}

func (d *differ) metadata(p *plan, old, obj reflect.Value, skip func(under, step string) bool) {
	for i := range p.fields {
		if f := &p.fields[i]; !ownerless[f.step] && !skip("metadata.", f.step) {
			d.field(f, old, obj)
		}
	}
}

func (d *differ) field(f *fieldPlan, old, obj reflect.Value) {
	var l, r reflect.Value
	if old.IsValid() {
		if v := old.FieldByIndex(f.index); !f.omits(v) {
			l = v
		}
	}
	if obj.IsValid() {
		if v := obj.FieldByIndex(f.index); !f.omits(v) {
			r = v
		}
	}
	if !l.IsValid() && !r.IsValid() {
		return
	}
	d.path = append(d.path, step{text: f.step})
	d.value(f.plan, l, r)
	d.path = d.path[:len(d.path)-1]
}

// omits says whether JSON leaves the field out.
func (f *fieldPlan) omits(v reflect.Value) bool {
	if f.omitEmpty {
		switch v.Kind() {
		case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
			return v.Len() == 0
		case reflect.Pointer, reflect.Interface:
			return v.IsNil()
		case reflect.Bool, reflect.Int, reflect.Int32, reflect.Int64, reflect.Float64, reflect.Uint8, reflect.Uint32, reflect.Uint64:
			return v.IsZero()
		}
	}
	return f.omitZero && isZero(v)
}

func isZero(v reflect.Value) bool {
	if v.CanInterface() {
		if z, ok := v.Interface().(interface{ IsZero() bool }); ok && (v.Kind() != reflect.Pointer || !v.IsNil()) {
			return z.IsZero()
		}
		if v.CanAddr() {
			if z, ok := v.Addr().Interface().(interface{ IsZero() bool }); ok {
				return z.IsZero()
			}
		}
	}
	return v.IsZero()
}

// value compares two values of which at least one is there.
func (d *differ) value(p *plan, l, r reflect.Value) {
	l, r = target(l), target(r)
	if p.shape == leafShape || isNull(l) || isNull(r) {
		if l.IsValid() && r.IsValid() {
			if !equal(l, r) {
				d.mark(&d.changed)
			}
			return
		}
	} else {
		d.parts(p, l, r)
	}
	if !l.IsValid() {
		d.mark(&d.changed)
	} else if !r.IsValid() {
		d.mark(&d.removed)
	}
}

func (d *differ) parts(p *plan, l, r reflect.Value) {
	if p.shape != structShape && l.IsValid() && r.IsValid() && l.Len()+r.Len() == 0 {
		if l.IsNil() != r.IsNil() { // null is not empty
			d.mark(&d.changed)
		}
		return
	}
	switch p.shape {
	case structShape:
		for i := range p.fields {
			d.field(&p.fields[i], l, r)
		}
	case mapShape:
		d.maps(p, l, r)
	case keyedShape, valuesShape:
		d.lists(p, l, r)
	}
}

// target follows pointers; a nil pointer stays, as null.
func target(v reflect.Value) reflect.Value {
	for v.IsValid() && v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	return v
}

func isNull(v reflect.Value) bool { return v.IsValid() && v.Kind() == reflect.Pointer }

var (
	quantityType = reflect.TypeFor[resource.Quantity]()
	rawType      = reflect.TypeFor[runtime.RawExtension]()
)

func equal(l, r reflect.Value) bool {
	if l.Kind() != r.Kind() {
		return false
	}
	switch l.Kind() {
	case reflect.String:
		return l.String() == r.String()
	case reflect.Bool:
		return l.Bool() == r.Bool()
	case reflect.Int, reflect.Int32, reflect.Int64:
		return l.Int() == r.Int()
	case reflect.Pointer:
		return l.IsNil() && r.IsNil()
	case reflect.Slice, reflect.Map:
		if l.IsNil() != r.IsNil() { // null is not empty
			return false
		}
	}
	if l.Kind() == reflect.Struct && l.Type() == quantityType {
		a, b := l.Interface().(resource.Quantity), r.Interface().(resource.Quantity)
		return a.Cmp(b) == 0
	}
	if l.Kind() == reflect.Struct && l.Type() == rawType { // in a list, it is what its bytes are
		return meta.SameJSON(l.Interface().(runtime.RawExtension).Raw, r.Interface().(runtime.RawExtension).Raw)
	}
	if equality.Semantic.DeepEqualWithNilDifferentFromEmpty(l.Interface(), r.Interface()) {
		return true
	}
	return l.Kind() != reflect.Slice && equality.Semantic.DeepEqual(l.Interface(), r.Interface()) && emptyAlike(l, r)
}

// emptyAlike says whether equal values are equal to the field-ownership library as well, which tells an empty list from none in
// the elements of another list, and in fields that are written though they are empty.
func emptyAlike(l, r reflect.Value) bool {
	switch l.Kind() {
	case reflect.Pointer:
		return l.IsNil() || emptyAlike(l.Elem(), r.Elem())
	case reflect.Slice:
		return equality.Semantic.DeepEqualWithNilDifferentFromEmpty(l.Interface(), r.Interface())
	case reflect.Map:
		for it := l.MapRange(); it.Next(); {
			if !emptyAlike(it.Value(), r.MapIndex(it.Key())) {
				return false
			}
		}
		return l.IsNil() == r.IsNil()
	case reflect.Struct:
		return reflect.PointerTo(l.Type()).Implements(marshaler) || fieldsEmptyAlike(l, r)
	}
	return true
}

func fieldsEmptyAlike(l, r reflect.Value) bool {
	for i := range l.NumField() {
		_, options, _ := strings.Cut(l.Type().Field(i).Tag.Get("json"), ",")
		left, right := l.Field(i), r.Field(i)
		if k := left.Kind(); (k == reflect.Slice || k == reflect.Map) && left.Len() == 0 && strings.Contains(options, "omitempty") {
			continue
		}
		if !emptyAlike(left, right) {
			return false
		}
	}
	return true
}

func (d *differ) maps(p *plan, l, r reflect.Value) {
	if r.IsValid() {
		for it := r.MapRange(); it.Next(); {
			var before reflect.Value
			if l.IsValid() {
				before = l.MapIndex(it.Key())
			}
			d.entry(p, it.Key().String(), before, it.Value())
		}
	}
	if !l.IsValid() {
		return
	}
	for it := l.MapRange(); it.Next(); {
		if !r.IsValid() || !r.MapIndex(it.Key()).IsValid() {
			d.entry(p, it.Key().String(), it.Value(), reflect.Value{})
		}
	}
}

func (d *differ) entry(p *plan, key string, l, r reflect.Value) {
	if p.elem.shape == leafShape && l.IsValid() && r.IsValid() && equal(target(l), target(r)) {
		return
	}
	d.path = append(d.path, step{text: "f:" + key})
	d.value(p.elem, l, r)
	d.path = d.path[:len(d.path)-1]
}

// elements is a list, or nothing.
func length(v reflect.Value) int {
	if !v.IsValid() {
		return 0
	}
	return v.Len()
}

func (d *differ) lists(p *plan, l, r reflect.Value) {
	d.unsure = d.unsure || repeats(p, l) || repeats(p, r)
	if d.unsure {
		return
	}
	for i := range length(r) {
		after := r.Index(i)
		d.element(p, find(p, l, after, i), after)
	}
	for i := range length(l) {
		if before := l.Index(i); !find(p, r, before, i).IsValid() {
			d.element(p, before, reflect.Value{})
		}
	}
}

func (d *differ) element(p *plan, l, r reflect.Value) {
	e := r
	if !e.IsValid() {
		e = l
	}
	d.path = append(d.path, step{list: p, element: e})
	d.value(p.elem, l, r)
	d.path = d.path[:len(d.path)-1]
}

// find gives the element of the list that has the same name, most likely at the same place.
func find(p *plan, list, e reflect.Value, at int) reflect.Value {
	n := length(list)
	if at < n && same(p, list.Index(at), e) {
		return list.Index(at)
	}
	for i := range n {
		if same(p, list.Index(i), e) {
			return list.Index(i)
		}
	}
	return reflect.Value{}
}

func repeats(p *plan, list reflect.Value) bool {
	n := length(list)
	for i := range n {
		for j := range i {
			if same(p, list.Index(i), list.Index(j)) {
				return true
			}
		}
	}
	return false
}

// same says whether two elements have one name.
func same(p *plan, a, b reflect.Value) bool {
	a, b = target(a), target(b)
	if p.shape == valuesShape {
		return equal(a, b)
	}
	for i := range p.keys {
		if !equal(target(a.FieldByIndex(p.keys[i].index)), target(b.FieldByIndex(p.keys[i].index))) {
			return false
		}
	}
	return true
}

// spell names an element of a list as FieldsV1 does.
func (d *differ) spell(p *plan, e reflect.Value) string {
	e = target(e)
	if p.shape == valuesShape {
		b, ok := appendScalar(append(d.scratch[:0], "v:"...), e)
		d.unsure, d.scratch = d.unsure || !ok, b
		return string(b)
	}
	b := append(d.scratch[:0], "k:{"...)
	for i := range p.keys {
		k := &p.keys[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, k.name), ':')
		v := target(e.FieldByIndex(k.index))
		value, ok := b, false
		if !k.omitEmpty || !v.IsZero() {
			value, ok = appendScalar(b, v)
		}
		if !ok {
			value = append(b, k.fallback...)
			d.unsure = d.unsure || k.fallback == ""
		}
		b = value
	}
	b = append(b, '}')
	d.scratch = b
	return string(b)
}

func appendScalar(b []byte, v reflect.Value) ([]byte, bool) {
	switch v.Kind() {
	case reflect.String:
		if text := v.String(); !strings.ContainsAny(text, "&<>") {
			return appendString(b, text), true
		}
		quoted, err := json.Marshal(v.String()) // upstream writes these as HTML wants them, in the names of elements alone
		return append(b, quoted...), err == nil
	case reflect.Int, reflect.Int32, reflect.Int64:
		return strconv.AppendInt(b, v.Int(), 10), true
	case reflect.Bool:
		return strconv.AppendBool(b, v.Bool()), true
	}
	return b, false
}
