package apiextensions

import (
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// A definition whose values are spelled otherwise, wherever a schema holds them, is the same one; another value is another.
func TestSpelling(t *testing.T) {
	definition := func(value string, wrap func(apiextensionsv1.JSONSchemaProps) apiextensionsv1.JSONSchemaProps) *apiextensionsv1.CustomResourceDefinition {
		raw := apiextensionsv1.JSON{Raw: []byte(value)}
		schema := wrap(apiextensionsv1.JSONSchemaProps{Default: raw.DeepCopy(), Example: raw.DeepCopy(), Enum: []apiextensionsv1.JSON{raw}})
		d := &apiextensionsv1.CustomResourceDefinition{}
		d.Generation = 1
		d.Spec.Versions = []apiextensionsv1.CustomResourceDefinitionVersion{{Name: "v1",
			Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &schema}}}
		setDefaults(d)
		return d
	}
	type props = apiextensionsv1.JSONSchemaProps
	for name, wrap := range map[string]func(props) props{
		"itself":      func(p props) props { return p },
		"properties":  func(p props) props { return props{Properties: map[string]props{"a": p}} },
		"patterns":    func(p props) props { return props{PatternProperties: map[string]props{"a": p}} },
		"definitions": func(p props) props { return props{Definitions: apiextensionsv1.JSONSchemaDefinitions{"a": p}} },
		"all of":      func(p props) props { return props{AllOf: []props{p}} },
		"one of":      func(p props) props { return props{OneOf: []props{p}} },
		"any of":      func(p props) props { return props{AnyOf: []props{p}} },
		"not":         func(p props) props { return props{Not: &p} },
		"items":       func(p props) props { return props{Items: &apiextensionsv1.JSONSchemaPropsOrArray{Schema: &p}} },
		"each item": func(p props) props {
			return props{Items: &apiextensionsv1.JSONSchemaPropsOrArray{JSONSchemas: []props{p}}}
		},
		"values": func(p props) props {
			return props{AdditionalProperties: &apiextensionsv1.JSONSchemaPropsOrBool{Schema: &p}}
		},
		"more items": func(p props) props { return props{AdditionalItems: &apiextensionsv1.JSONSchemaPropsOrBool{Schema: &p}} },
		"dependencies": func(p props) props {
			return props{Dependencies: apiextensionsv1.JSONSchemaDependencies{"a": {Schema: &p}}}
		},
	} {
		old := definition(`{"a":1,"b":[true]}`, wrap)
		same, other := definition("{ \"b\": [ true ],\n\"a\": 1 }", wrap), definition(`{"a":2,"b":[true]}`, wrap)
		prepareUpdate(same, old)
		prepareUpdate(other, old)
		if same.Generation != 1 || other.Generation != 2 {
			t.Errorf("%s: generation %d of the same, %d of another", name, same.Generation, other.Generation)
		}
	}
}
