package settle_test

import (
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"proa/apiserver/encode"
	"proa/apiserver/settle"
	"proa/kinds"
	"proa/kinds/resource"
	"proa/store"
)

// Every single list and map of every kind is found when it is empty but there; bytes are not, nor is what was read back.
func TestHollow(t *testing.T) {
	table := kinds.Builtin()
	decode := encode.Decoder(table)
	var h settle.Pool
	for _, r := range table.Rows() {
		if r.Virtual || r.Custom != nil {
			continue
		}
		lists, found := emptied(r.New(), &h)
		if found != lists || lists < 5 { // metadata alone has five
			t.Errorf("%s: %d of %d empty lists and maps are found", r.Name, found, lists)
		}
		obj := r.New()
		fillEmpty(reflect.ValueOf(obj).Elem(), 6)
		data, err := encode.ToStore(obj)
		if err != nil {
			t.Fatal(err)
		}
		read, ok := store.NewItem(store.Key{Table: r.Table()}, 1, 1, data, nil, decode).Value().(resource.Object)
		if !ok || h.Hollow(read) {
			t.Errorf("%s: what was read back is hollow", r.Name)
		}
	}
}

// A map has bytes for a key or none, which are read back as the same.
func TestHollowBytes(t *testing.T) {
	var h settle.Pool
	for _, c := range []struct {
		data map[string][]byte
		want bool
	}{{nil, false}, {map[string][]byte{"a": {}}, false}, {map[string][]byte{"a": {1}, "b": nil}, true}} {
		if got := h.Hollow(&corev1.Secret{Data: c.data}); got != c.want {
			t.Errorf("%v: hollow is %v", c.data, got)
		}
	}
}

// emptied makes the lists and maps of an object empty, one at a time, and counts them and those that are found.
func emptied(obj runtime.Object, h *settle.Pool) (lists, found int) {
	var visit func(v reflect.Value, depth int)
	visit = func(v reflect.Value, depth int) {
		switch {
		case depth == 0:
		case v.Kind() == reflect.Struct:
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() {
					visit(v.Field(i), depth-1)
				}
			}
		case v.Kind() == reflect.Pointer && v.CanSet():
			v.Set(reflect.New(v.Type().Elem()))
			visit(v.Elem(), depth-1)
			v.SetZero()
		case v.Kind() == reflect.Slice && v.Type().Elem().Kind() != reflect.Uint8:
			lists++
			v.Set(reflect.MakeSlice(v.Type(), 0, 0))
			if h.Hollow(obj.(resource.Object)) {
				found++
			}
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			visit(v.Index(0), depth-1)
			v.SetZero()
		case v.Kind() == reflect.Map:
			lists++
			v.Set(reflect.MakeMap(v.Type()))
			if h.Hollow(obj.(resource.Object)) {
				found++
			}
			v.SetZero()
		}
	}
	visit(reflect.ValueOf(obj).Elem(), 8)
	return lists, found
}

// fillEmpty makes all lists, maps and bytes of a value empty but there.
func fillEmpty(v reflect.Value, depth int) {
	switch {
	case depth == 0 || !v.CanSet():
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			fillEmpty(v.Field(i), depth-1)
		}
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	case v.Kind() == reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
	}
}
