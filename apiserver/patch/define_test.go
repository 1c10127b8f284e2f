package patch

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

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

// TestOwnersWithoutUID: an owner that lacks its uid is typed, in built-in kinds and in custom ones, and validation says what it lacks.
func TestOwnersWithoutUID(t *testing.T) {
	builtin, err := NewConverter(kinds.NewScheme())
	if err != nil {
		t.Fatal(err)
	}
	models := metadataModels()
	thing := object(map[string]spec.Schema{"apiVersion": *spec.StringProperty(), "kind": *spec.StringProperty(), "metadata": *spec.RefSchema("#/components/schemas/" + metav1.ObjectMeta{}.OpenAPIModelName())})
	thing.AddExtension("x-kubernetes-group-version-kind", []any{map[string]any{"group": "example.com", "version": "v1", "kind": "Thing"}})
	models["com.example.v1.Thing"] = thing
	custom, err := managedfields.NewTypeConverter(models, false)
	if err != nil {
		t.Fatal(err)
	}
	for converter, kind := range map[managedfields.TypeConverter][2]string{builtin: {"v1", "ConfigMap"}, custom: {"example.com/v1", "Thing"}} {
		obj := &unstructured.Unstructured{Object: map[string]any{"apiVersion": kind[0], "kind": kind[1],
			"metadata": map[string]any{"name": "a", "ownerReferences": []any{map[string]any{"kind": "Bad", "name": "c"}}}}}
		typed, err := converter.ObjectToTyped(obj)
		if err != nil {
			t.Errorf("%s: %v", kind[1], err)
			continue
		}
		set, err := typed.ToFieldSet()
		if owner := fieldpath.MakePathOrDie("metadata", "ownerReferences", fieldpath.KeyByFields("uid", "")); err != nil || !set.Has(owner) {
			t.Errorf("%s: fields are %v, %v", kind[1], set, err)
		}
	}
}
