package patch

import (
	"encoding/json"
	"math/rand"
	"reflect"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"proa/apiserver/encode"
	"proa/kinds"
	kind "proa/kinds/resource"
)

// TestMergeLikeLibrary merges random patches into random objects of every kind, and compares with what the library makes of them.
func TestMergeLikeLibrary(t *testing.T) {
	f := NewFields(kinds.NewScheme())
	merged, left := 0, 0
	for _, r := range kinds.Builtin().Rows() {
		if r.Virtual || r.Custom != nil {
			continue
		}
		p, err := f.planOf(r)
		if err != nil {
			t.Fatal(err)
		}
		for seed := range int64(60) {
			old, patch := patchCase(t, r, seed)
			got := copyOf(old)
			if !p.merge(reflect.ValueOf(got).Elem(), runtime.DeepCopyJSON(patch)) {
				left++
				continue
			}
			merged++
			body, _ := json.Marshal(patch)
			want, err := patchStrategic(&Patch{Kind: types.StrategicMergePatchType, Body: body, Version: encode.Stored(r)}, old)
			if err != nil {
				t.Fatalf("%s, seed %d: the library refuses %s: %v", r.Table(), seed, body, err)
			}
			if a, b := asJSON(t, got), asJSON(t, want); a != b {
				t.Fatalf("%s, seed %d: %s on %s\ngot  %s\nwant %s", r.Table(), seed, body, asJSON(t, old), a, b)
			}
		}
	}
	t.Logf("%d merged, %d left to the library", merged, left)
	if merged < left {
		t.Error("most are left to the library")
	}
}

// patchCase is an object, and a patch made of parts of another that share some of its keys.
func patchCase(t *testing.T, r *kind.Resource, seed int64) (kind.Object, map[string]any) {
	old, other := r.New(), r.New()
	filler(seed).Fill(old)
	filler(seed + 1000*int64(1+seed%2)).Fill(other)
	for _, obj := range []kind.Object{old, other} {
		obj.GetObjectKind().SetGroupVersionKind(r.GroupVersionKind())
	}
	old, err := patchStrategic(&Patch{Kind: types.StrategicMergePatchType, Body: []byte("{}"), Version: encode.Stored(r)}, old) // as JSON has it
	if err != nil {
		t.Fatal(err)
	}
	tree, err := runtime.DefaultUnstructuredConverter.ToUnstructured(other)
	if err != nil {
		t.Fatal(err)
	}
	delete(tree, "kind")
	delete(tree, "apiVersion")
	return old, pruned(tree, rand.New(rand.NewSource(seed))).(map[string]any)
}

// pruned leaves out most of a tree, and unsets some.
func pruned(v any, r *rand.Rand) any {
	switch v := v.(type) {
	case map[string]any:
		m := map[string]any{}
		keys := []string{}
		for key := range v {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		for _, key := range keys {
			switch n := r.Intn(8); {
			case n == 0:
				m[key] = nil
			case n < 4 || key == "name" || key == "type":
				m[key] = pruned(v[key], r)
			}
		}
		return m
	case []any:
		var l []any
		for _, e := range v {
			l = append(l, pruned(e, r))
		}
		return l
	}
	return v
}

func asJSON(t *testing.T, v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
