package verbs

import (
	"reflect"
	"sync"

	"k8s.io/apimachinery/pkg/runtime"

	"proa/kinds/resource"
)

// hollows finds objects that hold a list or map that is empty but there. Stored bytes do not tell it from one that is not
// there, so such an object reads otherwise than it was written. It keeps what it has found out about Go types.
type hollows struct {
	mu   sync.RWMutex
	done map[reflect.Type]*holds
}

// has says whether an object is hollow. Bytes are never, since they are told apart, nor custom objects, which are stored as
// they are.
func (h *hollows) has(obj resource.Object) bool {
	if _, ok := obj.(runtime.Unstructured); ok {
		return false
	}
	v := reflect.ValueOf(obj).Elem()
	return h.of(v.Type()).hollow(v)
}

// holds says where in values of a Go type lists and maps can be.
type holds struct {
	kind   reflect.Kind
	leaf   bool   // nowhere
	fields []part // of a struct, those that are no leaves
	elem   *holds // of pointers, lists and maps
}

type part struct {
	at int
	of *holds
}

func (h *hollows) of(t reflect.Type) *holds {
	h.mu.RLock()
	found := h.done[t]
	h.mu.RUnlock()
	if found != nil {
		return found
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.done == nil {
		h.done = map[reflect.Type]*holds{}
	}
	return h.find(t)
}

// find is called with the lock held. A type that holds itself is taken for no leaf.
func (h *hollows) find(t reflect.Type) *holds {
	if found := h.done[t]; found != nil {
		return found
	}
	found := &holds{kind: t.Kind()}
	h.done[t] = found
	switch t.Kind() {
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); f.IsExported() {
				if of := h.find(f.Type); !of.leaf {
					found.fields = append(found.fields, part{i, of})
				}
			}
		}
		found.leaf = len(found.fields) == 0
	case reflect.Pointer:
		found.elem = h.find(t.Elem())
		found.leaf = found.elem.leaf
	case reflect.Slice:
		found.elem = h.find(t.Elem())
		found.leaf = t.Elem().Kind() == reflect.Uint8
	case reflect.Map:
		found.elem = h.find(t.Elem())
	default:
		found.leaf = true
	}
	return found
}

func (h *holds) hollow(v reflect.Value) bool {
	switch h.kind {
	case reflect.Struct:
		for _, p := range h.fields {
			if p.of.hollow(v.Field(p.at)) {
				return true
			}
		}
	case reflect.Pointer:
		return !v.IsNil() && h.elem.hollow(v.Elem())
	case reflect.Slice:
		n := v.Len()
		if n == 0 {
			return !v.IsNil()
		}
		for i := 0; !h.elem.leaf && i < n; i++ {
			if h.elem.hollow(v.Index(i)) {
				return true
			}
		}
	case reflect.Map:
		if v.Len() == 0 {
			return !v.IsNil()
		}
		if h.elem.leaf {
			return false
		}
		for it := v.MapRange(); it.Next(); {
			if h.elem.hollow(it.Value()) {
				return true
			}
		}
	}
	return false
}
