package encode

import (
	"bytes"
	"encoding/json"
	"fmt"

	"sigs.k8s.io/yaml"

	"proa/store"
)

// json gives the item as JSON in this version: kind and apiVersion first, then the rest; made once.
func (v *Version) json(item *store.Item) ([]byte, error) {
	if v.Resource.Custom != nil {
		return v.customJSON(item)
	}
	return item.Encoded(v.form, func(item *store.Item) ([]byte, error) {
		obj, err := v.Object(item)
		if err != nil {
			return nil, err
		}
		return json.Marshal(obj)
	})
}

// jsonHead is how every JSON form of this version begins. Go's encoder writes fields in order, and all API types
// begin with their TypeMeta.
func (v *Version) jsonHead() []byte {
	return fmt.Appendf(nil, `{"kind":%q,"apiVersion":%q`, v.Kind.Kind, v.Kind.GroupVersion().String())
}

// untyped drops the type from an object's JSON, as upstream's lists do.
func untyped(b, head []byte) (begin string, rest []byte) {
	if !bytes.HasPrefix(b, head) || len(b) == len(head) {
		return "", b
	}
	if b[len(head)] == ',' {
		return "{", b[len(head)+1:]
	}
	return "{", b[len(head):]
}

func toYAML(b []byte) ([]byte, error) {
	out, err := yaml.JSONToYAML(b)
	if err != nil {
		return nil, fmt.Errorf("encode YAML: %w", err)
	}
	return out, nil
}

func indent(b []byte) ([]byte, error) {
	var out bytes.Buffer
	if err := json.Indent(&out, b, "", "  "); err != nil {
		return nil, fmt.Errorf("indent JSON: %w", err)
	}
	return out.Bytes(), nil
}
