package patch

import (
	"fmt"
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/client-go/applyconfigurations"
	"sigs.k8s.io/structured-merge-diff/v6/schema"
	"sigs.k8s.io/structured-merge-diff/v6/typed"
)

// NewConverter reads objects by the schemas of client-go, and kinds that it has none for, those of API groups that came as
// add-ons, by schemas that are made from their Go types.
func NewConverter(scheme *runtime.Scheme) (managedfields.TypeConverter, error) {
	known := applyconfigurations.NewTypeConverter(scheme)
	pod, err := known.ObjectToTyped(&corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}})
	if err != nil {
		return nil, fmt.Errorf("read the schemas of field ownership: %w", err)
	}
	d := definer{known: pod.Schema(), done: map[string]bool{}} // which is the schema of all kinds
	for gvk, t := range scheme.AllKnownTypes() {
		if _, ok := reflect.New(t).Interface().(metav1.Object); ok && gvk.Version != runtime.APIVersionInternal {
			d.define(t)
		}
	}
	parser := &typed.Parser{Schema: schema.Schema{Types: loosen(slices.Concat(d.known.Types, d.types))}}
	return orderedTypes{managedfields.NewSchemeTypeConverter(scheme, parser)}, nil
}

// loosen lets numbers that may be texts be anything. Upstream's schema of them says no type, so that what is neither is refused
// where the object is converted, not where it is typed.
func loosen(types []schema.TypeDef) []schema.TypeDef {
	named := func(name string) int {
		return slices.IndexFunc(types, func(t schema.TypeDef) bool { return t.Name == name })
	}
	number, anything := named("io.k8s.apimachinery.pkg.util.intstr.IntOrString"), named("__untyped_deduced_")
	if number >= 0 && anything >= 0 {
		types[number].Atom = types[anything].Atom
	}
	return types
}
