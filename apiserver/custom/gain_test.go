package custom

import (
	"encoding/json"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
)

// What is said that defaults add is what they add.
func TestGain(t *testing.T) {
	schema := `{"type":"object","properties":{
"a":{"type":"string","default":"xyz"},
"b":{"type":"array","items":{"type":"object","properties":{"c":{"type":"integer","default":12},"d":{"type":"object","default":{},"properties":{"e":{"type":"string","default":"f"}}}}}},
"g":{"type":"object","additionalProperties":{"type":"string","default":"hij"}},
"n":{"type":"string","nullable":true,"default":"k"},
"l":{"type":"array","default":[{},{}],"items":{"type":"object","properties":{"m":{"type":"string","default":"o"}}}},
"plain":{"type":"object","properties":{"p":{"type":"string"}}}}}`
	v := &apiextensionsv1.CustomResourceDefinitionVersion{Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{}}}
	if err := json.Unmarshal([]byte(schema), v.Schema.OpenAPIV3Schema); err != nil {
		t.Fatal(err)
	}
	props, err := propsOf(v)
	if err != nil {
		t.Fatal(err)
	}
	s, err := structural.NewStructural(props)
	if err != nil {
		t.Fatal(err)
	}
	g, err := gainOf(s)
	if err != nil {
		t.Fatal(err)
	}
	// Values alone are counted, not the names of what is new nor the signs between.
	for text, want := range map[string]int{
		`{}`:                          len(`"xyz"`) + len(`"k"`) + len(`[{},{}]`) + 2*len(`"o"`),
		`{"a":"x","n":"y","l":[]}`:    0,
		`{"a":"x","n":null,"l":[{}]}`: len(`"o"`),
		`{"a":null,"n":"y","l":[]}`:   len(`"xyz"`),
		`{"a":"x","n":"y","l":[],"b":[{},{"c":1},{"d":{}}]}`:           3*len(`"f"`) + 2*len(`12`) + 2*len(`{}`),
		`{"a":"x","n":"y","l":[],"g":{"p":null,"q":"r"}}`:              len(`"hij"`),
		`{"a":"x","n":"y","l":[],"plain":{"p":"x","other":[{},null]}}`: 0,
	} {
		var value map[string]any
		if err := json.Unmarshal([]byte(text), &value); err != nil {
			t.Fatal(err)
		}
		if got := g.of(value); got != want {
			t.Errorf("%s: %d, want %d", text, got, want)
		}
		defaulting.Default(value, s)
		if left := g.of(value); left != 0 {
			t.Errorf("%s with its defaults: %d more", text, left)
		}
	}
}
