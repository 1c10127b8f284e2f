package patch

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"sigs.k8s.io/structured-merge-diff/v6/typed"
	"sigs.k8s.io/structured-merge-diff/v6/value"

	"proa/kinds"
)

// many are as many keys, whose values are made of a word.
func many(keys int, word string) map[string]any {
	all := map[string]any{}
	for i := range keys {
		all[fmt.Sprintf("k%d", i)] = word
	}
	return all
}

// trees are objects with a large map at the top, in a map and in a list, beside small ones.
func trees(keys int, word string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{"apiVersion": "a/v1", "kind": "A", "metadata": map[string]any{"name": "a", "labels": map[string]any{"a": "b"}},
		"spec": map[string]any{"large": many(keys, word), "small": many(3, word), "list": []any{many(keys, word), "x", many(2, word)}}}}
}

// inOrder fails unless the keys of all large maps are visited in order, one by one and with another's.
func inOrder(t *testing.T, at string, a, b value.Value) (large int) {
	t.Helper()
	if a.IsList() {
		for items := a.AsList().Range(); items.Next(); {
			i, item := items.Item()
			large += inOrder(t, fmt.Sprintf("%s[%d]", at, i), item, b.AsList().At(i))
		}
	}
	if !a.IsMap() {
		return large
	}
	var alone, together []string
	a.AsMap().Iterate(func(key string, _ value.Value) bool { alone = append(alone, key); return true })
	a.AsMap().Zip(b.AsMap(), value.Unordered, func(key string, l, r value.Value) bool {
		together = append(together, key)
		if l != nil && r != nil {
			large += inOrder(t, at+"."+key, l, r)
		}
		return true
	})
	if len(alone) <= manyKeys {
		return large
	}
	if !slices.IsSorted(alone) || !slices.IsSorted(together) {
		t.Errorf("%d keys of %s are not visited in order", len(alone), at)
	}
	return large + 1
}

// Sets of fields are sorted slices: keys that come in any order make adding them take the square of their number.
func TestLargeMapsAreVisitedInOrder(t *testing.T) {
	builtin, err := NewConverter(kinds.NewScheme())
	if err != nil {
		t.Fatal(err)
	}
	configMap := &corev1.ConfigMap{Data: map[string]string{}}
	configMap.APIVersion, configMap.Kind = "v1", "ConfigMap"
	for key := range many(2*manyKeys, "") {
		configMap.Data[key] = key
	}
	for _, c := range []struct {
		types managedfields.TypeConverter
		obj   runtime.Object
		want  int
	}{
		{orderedTypes{managedfields.NewDeducedTypeConverter()}, trees(2*manyKeys, "a"), 2},
		{builtin, configMap, 1},
	} {
		v, err := c.types.ObjectToTyped(c.obj)
		if err != nil {
			t.Fatal(err)
		}
		if got := inOrder(t, "", v.AsValue(), v.AsValue()); got != c.want {
			t.Errorf("%T: %d large maps were found, want %d", c.obj, got, c.want)
		}
	}
}

// What is found out about objects does not depend on the order.
func TestOrderChangesNothing(t *testing.T) {
	outcome := func(types managedfields.TypeConverter, l, r *unstructured.Unstructured) string {
		t.Helper()
		var typedBy [2]*typed.TypedValue
		var err error
		for i, obj := range []*unstructured.Unstructured{l, r} {
			if typedBy[i], err = types.ObjectToTyped(obj); err != nil {
				t.Fatal(err)
			}
		}
		left, right := typedBy[0], typedBy[1]
		set, err := left.ToFieldSet()
		if err != nil {
			t.Fatal(err)
		}
		compared, err := left.Compare(right)
		if err != nil {
			t.Fatal(err)
		}
		merged, err := left.Merge(right)
		if err != nil {
			t.Fatal(err)
		}
		whole, err := types.TypedToObject(merged)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(set, compared, whole, merged.RemoveItems(compared.Modified).AsValue().Unstructured(), value.Equals(left.AsValue(), right.AsValue()), reflect.DeepEqual(l, r))
	}
	inner := managedfields.NewDeducedTypeConverter()
	for _, l := range []*unstructured.Unstructured{trees(3, "a"), trees(manyKeys, "a"), trees(2*manyKeys, "b")} {
		for _, r := range []*unstructured.Unstructured{trees(2, "a"), trees(manyKeys, "a"), trees(3*manyKeys, "c"), {Object: map[string]any{"apiVersion": "a/v1", "kind": "A"}}} {
			if got, want := outcome(orderedTypes{inner}, l, r), outcome(inner, l, r); got != want {
				t.Errorf("with order: %.500s\nwithout: %.500s", got, want)
			}
		}
	}
}
