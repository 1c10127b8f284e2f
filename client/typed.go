package client

import (
	"iter"
)

// Get returns the object of a view as its concrete kind; ok is false when it is absent.
func Get[T Object](v View, table, namespace, name string) (obj T, ok bool) {
	o := v.Get(Ref{Table: table, Namespace: namespace, Name: name})
	if o == nil {
		return obj, false
	}
	obj, ok = o.(T)
	return obj, ok
}

// List yields the objects of a table as their concrete kind; namespace "" means all.
func List[T Object](v View, table, namespace string) iter.Seq[T] {
	return func(yield func(T) bool) {
		for o := range v.List(table, namespace) {
			if t, ok := o.(T); ok && !yield(t) {
				return
			}
		}
	}
}

// RefOf names an object that belongs to a table.
func RefOf(table string, obj Object) Ref {
	return Ref{Table: table, Namespace: obj.GetNamespace(), Name: obj.GetName()}
}
