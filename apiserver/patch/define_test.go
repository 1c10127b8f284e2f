package patch

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"proa/apiserver/encode"
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

// TestNumbersAreTypedLoosely applies a list where a number or a percentage belongs: the conversion refuses it, as upstream's.
func TestNumbersAreTypedLoosely(t *testing.T) {
	p := &Patch{Kind: types.ApplyPatchType, Version: encode.Stored(kinds.Builtin().ByTable("deployments.apps")), Manager: "m", Warn: func(string) {},
		Body: []byte(`{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": {"strategy": {"rollingUpdate": {"maxSurge": []}}}}`)}
	if _, err := NewFields(kinds.NewScheme()).Apply(p, nil, time.Unix(0, 0)); err == nil || !strings.HasPrefix(err.Error(), "failed to convert new object") {
		t.Error(err)
	}
}
