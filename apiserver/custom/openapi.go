package custom

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	openapiv2 "k8s.io/apiextensions-apiserver/pkg/controller/openapi/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

type openapi = spec.Schema

// openapi is the version's schema as documents have it, with what every object has. OpenAPI 2 cannot say all of it: what it
// cannot say is left out, so that old clients refuse nothing that is right.
func (v *version) openapi(d *apiextensionsv1.CustomResourceDefinition, v2 bool) *spec.Schema {
	s := published(v.spec)
	out := &spec.Schema{SchemaProps: spec.SchemaProps{Type: spec.StringOrArray{"object"}}}
	if s != nil && !(v2 && (s.XPreserveUnknownFields || d.Spec.PreserveUnknownFields)) {
		if v2 {
			s = openapiv2.ToStructuralOpenAPIV2(s)
		}
		out = s.ToKubeOpenAPI()
		addTyped(out, typeMetaDoc["kind"], typeMetaDoc["apiVersion"])
		addEmbedded(out, v2)
	}
	gvk := v.row.GroupVersionKind()
	out.AddExtension("x-kubernetes-group-version-kind", []any{map[string]any{"group": gvk.Group, "version": gvk.Version, "kind": gvk.Kind}})
	if fields := v.spec.SelectableFields; len(fields) > 0 && !v2 {
		all := make([]any, len(fields))
		for i, f := range fields {
			all[i] = map[string]any{"fieldPath": strings.TrimPrefix(f.JSONPath, ".")}
		}
		out.AddExtension("x-kubernetes-selectable-fields", all)
	}
	return out
}

// published is the schema that others may see, or nil: one that is not structural says nothing that can be relied on.
func published(v *apiextensionsv1.CustomResourceDefinitionVersion) *structural.Structural {
	props, err := propsOf(v)
	if err != nil || props == nil {
		return nil
	}
	s, err := structural.NewStructural(props)
	if err != nil || len(structural.ValidateStructural(nil, s)) > 0 {
		return nil
	}
	return s.Unfold()
}

// digest is of what decides the version's schema.
func digest(d *apiextensionsv1.CustomResourceDefinition, v *apiextensionsv1.CustomResourceDefinitionVersion) string {
	h := sha256.New()
	_ = json.NewEncoder(h).Encode([]any{d.Spec.Group, d.Status.AcceptedNames, d.Spec.PreserveUnknownFields, v}) // a hash takes everything
	return hex.EncodeToString(h.Sum(nil))
}

var typeMetaDoc = metav1.TypeMeta{}.SwaggerDoc()

// addTyped adds kind, apiVersion and metadata.
func addTyped(s *spec.Schema, kindDoc, versionDoc string) {
	text := func(description string) spec.Schema { return *spec.StringProperty().WithDescription(description) }
	s.SetProperty("kind", text(kindDoc))
	s.SetProperty("apiVersion", text(versionDoc))
	metadata := spec.RefSchema("#/definitions/" + metav1.ObjectMeta{}.OpenAPIModelName())
	s.SetProperty("metadata", *metadata.WithDescription(metav1.PartialObjectMetadata{}.SwaggerDoc()["metadata"]))
}

// addEmbedded does so for the objects within an object that say that they are such.
func addEmbedded(s *spec.Schema, v2 bool) {
	for name, property := range s.Properties {
		addEmbedded(&property, v2)
		s.Properties[name] = property
	}
	if s.Items != nil && s.Items.Schema != nil {
		addEmbedded(s.Items.Schema, v2)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		addEmbedded(s.AdditionalProperties.Schema, v2)
	}
	if open, _ := s.Extensions.GetBool("x-kubernetes-preserve-unknown-fields"); open && v2 {
		return
	}
	if embedded, _ := s.Extensions.GetBool("x-kubernetes-embedded-resource"); !embedded {
		return
	}
	addTyped(s, typeMetaDoc["kind"], typeMetaDoc["apiVersion"])
	for _, name := range []string{"kind", "apiVersion"} {
		if !slices.Contains(s.Required, name) {
			s.Required = append(s.Required, name)
		}
	}
}
