package apiextensions

import (
	"bytes"
	"encoding/json"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// spell writes the values that the schemas of a definition hold as upstream does, which reads them and writes them anew: how a
// client spelled one, its spaces and the order of its keys, is no part of it.
func spell(d *apiextensionsv1.CustomResourceDefinition) {
	for i := range d.Spec.Versions {
		if schema := d.Spec.Versions[i].Schema; schema != nil {
			spellSchema(schema.OpenAPIV3Schema)
		}
	}
}

func spellSchema(s *apiextensionsv1.JSONSchemaProps) {
	if s == nil {
		return
	}
	spellValue(s.Default)
	spellValue(s.Example)
	for i := range s.Enum {
		spellValue(&s.Enum[i])
	}
	for _, all := range [][]apiextensionsv1.JSONSchemaProps{s.AllOf, s.OneOf, s.AnyOf} {
		spellSchemas(all)
	}
	spellSchema(s.Not)
	if s.Items != nil {
		spellSchema(s.Items.Schema)
		spellSchemas(s.Items.JSONSchemas)
	}
	for _, orBool := range []*apiextensionsv1.JSONSchemaPropsOrBool{s.AdditionalProperties, s.AdditionalItems} {
		if orBool != nil {
			spellSchema(orBool.Schema)
		}
	}
	for _, named := range []map[string]apiextensionsv1.JSONSchemaProps{s.Properties, s.PatternProperties, s.Definitions} {
		for name, of := range named {
			spellSchema(&of)
			named[name] = of
		}
	}
	for _, on := range s.Dependencies {
		spellSchema(on.Schema)
	}
}

func spellSchemas(all []apiextensionsv1.JSONSchemaProps) {
	for i := range all {
		spellSchema(&all[i])
	}
}

// spellValue leaves what is no JSON to validation.
func spellValue(v *apiextensionsv1.JSON) {
	if v == nil || len(v.Raw) == 0 {
		return
	}
	var value any
	if utiljson.Unmarshal(v.Raw, &value) != nil {
		return
	}
	if raw, err := json.Marshal(value); err == nil && !bytes.Equal(raw, v.Raw) {
		v.Raw = raw
	}
}
