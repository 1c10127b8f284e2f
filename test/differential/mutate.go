package main

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"slices"
)

// node is a part of an object that is a struct in Go, found by walking both together.
type node struct {
	value  map[string]any
	goType reflect.Type
	path   []any // keys and indexes from the root
}

func clone[T any](value T) T {
	text, err := json.Marshal(value)
	if err != nil {
		panic("differential: a tree of JSON cannot be written: " + err.Error())
	}
	var out T
	if err := json.Unmarshal(text, &out); err != nil {
		panic("differential: a tree of JSON cannot be read: " + err.Error())
	}
	return out
}

// nodes lists the structs in an object, the object itself first.
func nodes(value any, t reflect.Type, path []any) []node {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	var out []node
	switch v := value.(type) {
	case map[string]any:
		switch t.Kind() {
		case reflect.Struct:
			fields := fieldsOf(t)
			if len(fields) == 0 {
				return nil
			}
			out = append(out, node{v, t, slices.Clone(path)})
			for _, f := range fields {
				if child, there := v[f.name]; there {
					out = append(out, nodes(child, f.goType, append(path, f.name))...)
				}
			}
		case reflect.Map:
			for _, k := range sortedKeys(v) {
				out = append(out, nodes(v[k], t.Elem(), append(path, k))...)
			}
		}
	case []any:
		if t.Kind() == reflect.Slice {
			for i := range v {
				out = append(out, nodes(v[i], t.Elem(), append(path, i))...)
			}
		}
	}
	return out
}

// pickNode takes a part to change: metadata rarely, since all kinds share its rules.
func pickNode(r *rand.Rand, object map[string]any, t reflect.Type) (node, bool) {
	all := nodes(object, t, nil)
	if len(all) == 0 {
		return node{}, false
	}
	n := pick(r, all)
	if len(n.path) > 0 && n.path[0] == "metadata" && chance(r, 60) {
		n = pick(r, all)
	}
	return n, true
}

// hidden are fields that servers set themselves; clients rarely try.
var hidden = []string{"managedFields", "creationTimestamp", "selfLink", "generation", "deletionTimestamp", "deletionGracePeriodSeconds", "status", "kind", "apiVersion", "name", "namespace", "uid", "resourceVersion"}

// change makes one change to an object, in place.
func change(r *rand.Rand, object map[string]any, t reflect.Type) {
	n, ok := pickNode(r, object, t)
	if !ok {
		return
	}
	fields := fieldsOf(n.goType)
	f := pick(r, fields)
	if (len(n.path) == 0 || n.path[0] == "metadata") && slices.Contains(hidden, f.name) && chance(r, 90) {
		f = pick(r, fields)
	}
	if chance(r, 2) {
		n.value[pick(r, []string{"unknown", "Name", "spec2"})] = pick(r, words)
		return
	}
	old, there := n.value[f.name]
	list, isList := old.([]any)
	switch {
	case isList && len(list) > 0 && chance(r, 50):
		n.value[f.name] = changeList(r, list, f)
	case there && chance(r, 35):
		delete(n.value, f.name)
	case there && chance(r, 4):
		n.value[f.name] = nil
	default:
		n.value[f.name] = value(r, f.goType, f.place, 0)
	}
}

func changeList(r *rand.Rand, list []any, f jsonField) []any {
	i := r.IntN(len(list))
	switch r.IntN(4) {
	case 0:
		return append(slices.Clone(list), clone(list[i])) // the same twice
	case 1:
		return slices.Delete(slices.Clone(list), i, i+1)
	case 2:
		swapped := slices.Clone(list)
		slices.Reverse(swapped)
		return swapped
	}
	t := f.goType
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Slice {
		return list
	}
	return append(slices.Clone(list), value(r, t.Elem(), f.place, 1))
}
