package patch

import (
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"sigs.k8s.io/structured-merge-diff/v6/typed"
	"sigs.k8s.io/structured-merge-diff/v6/value"
)

// manyKeys is how many keys a map has, more than which are visited in order.
const manyKeys = 500

// orderedTypes are types whose objects show the keys of large maps in order.
//
// The library keeps sets of fields as sorted slices, and puts each field in where it belongs. Go's maps have no order, so that
// each of n keys moved half of those before it: 80,000 keys took half a minute. Keys that come in order move nothing.
type orderedTypes struct{ managedfields.TypeConverter }

// ObjectToTyped implements managedfields.TypeConverter.
func (o orderedTypes) ObjectToTyped(obj runtime.Object, options ...typed.ValidationOptions) (*typed.TypedValue, error) {
	t, err := o.TypeConverter.ObjectToTyped(obj, options...)
	if err != nil {
		return nil, err
	}
	return typed.AsTypedUnvalidated(&orderedValue{t.AsValue()}, t.Schema(), t.TypeRef()), nil
}

// orderedValue is a value whose maps, however deep, are visited in order. Values that a visit hands out are good until the
// next is, as with the library's own.
type orderedValue struct{ value.Value }

// in puts a value into the same wrapper again.
func (v *orderedValue) in(inner value.Value) value.Value {
	if inner == nil {
		return nil
	}
	if wrapped, ok := inner.(*orderedValue); ok {
		return wrapped
	}
	v.Value = inner
	return v
}

func (v *orderedValue) AsMap() value.Map { return orderedMap{v.Value.AsMap()} }
func (v *orderedValue) AsMapUsing(a value.Allocator) value.Map {
	return orderedMap{v.Value.AsMapUsing(a)}
}
func (v *orderedValue) AsList() value.List { return orderedList{v.Value.AsList()} }
func (v *orderedValue) AsListUsing(a value.Allocator) value.List {
	return orderedList{v.Value.AsListUsing(a)}
}

type orderedMap struct{ value.Map }

// plain is the library's own map, which knows others of its kind.
func plain(m value.Map) value.Map {
	if o, ok := m.(orderedMap); ok {
		return o.Map
	}
	return m
}

func (m orderedMap) Get(key string) (value.Value, bool) { return m.GetUsing(value.HeapAllocator, key) }

func (m orderedMap) GetUsing(a value.Allocator, key string) (value.Value, bool) {
	v, ok := m.Map.GetUsing(a, key)
	if !ok {
		return nil, false
	}
	return new(orderedValue).in(v), true
}

func (m orderedMap) Equals(other value.Map) bool { return m.Map.Equals(plain(other)) }

func (m orderedMap) EqualsUsing(a value.Allocator, other value.Map) bool {
	return m.Map.EqualsUsing(a, plain(other))
}

func (m orderedMap) Iterate(visit func(string, value.Value) bool) bool {
	return m.IterateUsing(value.HeapAllocator, visit)
}

func (m orderedMap) IterateUsing(a value.Allocator, visit func(string, value.Value) bool) bool {
	var v orderedValue
	if m.Length() > manyKeys {
		return m.Map.ZipUsing(a, nil, value.LexicalKeyOrder, func(key string, each, _ value.Value) bool { return visit(key, v.in(each)) })
	}
	return m.Map.IterateUsing(a, func(key string, each value.Value) bool { return visit(key, v.in(each)) })
}

func (m orderedMap) Zip(other value.Map, order value.MapTraverseOrder, visit func(string, value.Value, value.Value) bool) bool {
	return m.ZipUsing(value.HeapAllocator, other, order, visit)
}

func (m orderedMap) ZipUsing(a value.Allocator, other value.Map, order value.MapTraverseOrder, visit func(string, value.Value, value.Value) bool) bool {
	if m.Length() > manyKeys || other != nil && other.Length() > manyKeys {
		order = value.LexicalKeyOrder
	}
	var left, right orderedValue
	return m.Map.ZipUsing(a, plain(other), order, func(key string, l, r value.Value) bool { return visit(key, left.in(l), right.in(r)) })
}

type orderedList struct{ value.List }

func (l orderedList) At(i int) value.Value { return new(orderedValue).in(l.List.At(i)) }

func (l orderedList) AtUsing(a value.Allocator, i int) value.Value {
	return new(orderedValue).in(l.List.AtUsing(a, i))
}

func (l orderedList) Range() value.ListRange { return &orderedRange{ListRange: l.List.Range()} }

func (l orderedList) RangeUsing(a value.Allocator) value.ListRange {
	return &orderedRange{ListRange: l.List.RangeUsing(a)}
}

func (l orderedList) Equals(other value.List) bool { return l.EqualsUsing(value.HeapAllocator, other) }

func (l orderedList) EqualsUsing(a value.Allocator, other value.List) bool {
	if o, ok := other.(orderedList); ok {
		other = o.List
	}
	return l.List.EqualsUsing(a, other)
}

type orderedRange struct {
	value.ListRange
	item orderedValue
}

func (r *orderedRange) Item() (int, value.Value) {
	i, v := r.ListRange.Item()
	return i, r.item.in(v)
}
