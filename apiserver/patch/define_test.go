package patch

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"proa/kinds"
)

// TestElementsAreNamedByWhatTheyLack: a rule of a schema without its text is an element of its list all the same, and validation
// says what it lacks.
func TestElementsAreNamedByWhatTheyLack(t *testing.T) {
	converter, err := NewConverter(kinds.NewScheme())
	if err != nil {
		t.Fatal(err)
	}
	version := map[string]any{"name": "v1", "schema": map[string]any{"openAPIV3Schema": map[string]any{"x-kubernetes-validations": []any{map[string]any{"message": "m"}}}}}
	crd := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"spec": map[string]any{"versions": []any{version}}}}
	if _, err := converter.ObjectToTyped(crd); err != nil {
		t.Error(err)
	}
}
