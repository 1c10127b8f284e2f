package discovery

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/structured-merge-diff/v6/schema"
)

// listTypes knows how lists and maps merge under server-side apply, from the schemas that the API server applies by.
type listTypes struct {
	schema *schema.Schema // nil if it cannot be had: then nothing is said about merging
}

func newListTypes(scheme *runtime.Scheme) *listTypes {
	typed, err := applyconfigurations.NewTypeConverter(scheme).ObjectToTyped(
		&corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}})
	if err != nil {
		return &listTypes{}
	}
	return &listTypes{schema: typed.Schema()}
}

func (l *listTypes) atom(model string) *schema.Map {
	if l.schema == nil {
		return nil
	}
	def, ok := l.schema.FindNamedType(model)
	if !ok {
		return nil
	}
	return def.Map
}

// atomic says whether the type is owned as a whole.
func (l *listTypes) atomic(model string) bool {
	m := l.atom(model)
	return m != nil && m.ElementRelationship == schema.Atomic
}

// describe adds to a field's schema how it merges.
func (l *listTypes) describe(s *spec.Schema, model, field string) {
	m := l.atom(model)
	if m == nil {
		return
	}
	f, ok := m.FindField(field)
	if !ok {
		return
	}
	if f.Default != nil && len(s.Type) > 0 && s.Type[0] != "array" {
		s.Default = plain(f.Default)
	}
	switch list, isMap := f.Type.Inlined.List, f.Type.Inlined.Map; {
	case list != nil && list.ElementRelationship == schema.Associative && len(list.Keys) > 0:
		keys := make([]any, len(list.Keys))
		for i, key := range list.Keys {
			keys[i] = key
		}
		s.AddExtension("x-kubernetes-list-type", "map")
		s.AddExtension("x-kubernetes-list-map-keys", keys)
	case list != nil && list.ElementRelationship == schema.Associative:
		s.AddExtension("x-kubernetes-list-type", "set")
	case list != nil && list.ElementRelationship == schema.Atomic:
		s.AddExtension("x-kubernetes-list-type", "atomic")
	case isMap != nil && isMap.ElementRelationship == schema.Atomic:
		s.AddExtension("x-kubernetes-map-type", "atomic")
	}
}
