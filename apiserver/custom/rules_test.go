package custom

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apiserver/pkg/warning"

	"proa/kinds/resource"
)

// ruled is a version of a kind whose spec, and whose status too, is a list of numbers of which each is to be smaller than all.
func ruled(t *testing.T) *resource.Resource {
	t.Helper()
	const list = `{"type":"array","maxItems":700,"items":{"type":"integer"},"x-kubernetes-validations":[{"rule":"self.all(x, self.all(y, x + y < 10))","message":"too large"}]}`
	schema := `{"type":"object","properties":{"spec":` + list + `,"status":` + list + `}}`
	d := &apiextensionsv1.CustomResourceDefinition{Spec: apiextensionsv1.CustomResourceDefinitionSpec{Group: "shop.example", Scope: apiextensionsv1.ClusterScoped,
		Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{Name: "v1", Served: true, Storage: true,
			Schema:       &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{}},
			Subresources: &apiextensionsv1.CustomResourceSubresources{Status: &apiextensionsv1.CustomResourceSubresourceStatus{}}}}}}
	d.Status.AcceptedNames = apiextensionsv1.CustomResourceDefinitionNames{Plural: "sums", Kind: "Sum", ListKind: "SumList"}
	if err := json.Unmarshal([]byte(schema), d.Spec.Versions[0].Schema.OpenAPIV3Schema); err != nil {
		t.Fatal(err)
	}
	return newKind(d, nil, func() uint64 { return 1 }).stored
}

// sums is an object whose part holds n times a number, and more besides.
func sums(part string, n int, number int64, labels map[string]string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "shop.example/v1", "kind": "Sum", part: slices.Repeat([]any{number}, n)}}
	u.SetName("a")
	u.SetResourceVersion("1")
	u.SetLabels(labels)
	return u
}

// Rules end with the request that has them checked, through whichever door it came.
func TestRulesEndWithTheRequest(t *testing.T) {
	row := ruled(t)
	over, end := context.WithCancel(t.Context())
	end()
	for _, c := range []struct {
		name string
		old  resource.Object
		obj  *unstructured.Unstructured
		door *resource.Subresource
	}{
		{"create", nil, sums("spec", 100, 1, nil), nil},
		{"update", sums("spec", 1, 1, nil), sums("spec", 100, 1, nil), nil},
		{"status", sums("status", 1, 1, nil), sums("status", 100, 1, nil), row.Status},
	} {
		if errs := row.Custom.Validate(t.Context(), c.obj, c.old, c.door); len(errs) > 0 {
			t.Errorf("%s: %v", c.name, errs)
		}
		if errs := row.Custom.Validate(over, c.obj, c.old, c.door); len(errs) != 1 || !strings.Contains(errs[0].Error(), "operation interrupted") {
			t.Errorf("%s, of a request that is over: %v", c.name, errs)
		}
	}
}

// warned collects warnings.
type warned []string

func (w *warned) AddWarning(_, text string) { *w = append(*w, text) }

// What was wrong before and did not change is warned of.
func TestRulesWarnOfWhatDidNotChange(t *testing.T) {
	row := ruled(t)
	for _, part := range []string{"spec", "status"} {
		var got warned
		ctx := warning.WithWarningRecorder(t.Context(), &got)
		var door *resource.Subresource
		if part == "status" {
			door = row.Status
		}
		if errs := row.Custom.Validate(ctx, sums(part, 2, 8, map[string]string{"a": "b"}), sums(part, 2, 8, nil), door); len(errs) > 0 {
			t.Errorf("%s: %v", part, errs)
		}
		if want := part + `: Invalid value: too large`; len(got) != 1 || got[0] != want {
			t.Errorf("%s: warned of %q, want %q", part, got, want)
		}
	}
}
