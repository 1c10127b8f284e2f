package audit

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"sigs.k8s.io/yaml"
)

// longestDocument bounds what is unpacked of a compressed answer.
const longestDocument = 64 << 20

// Document is the body of a request or of an answer, as it was on the wire.
type Document struct {
	ContentType     string
	ContentEncoding string
	Body            []byte
}

// Written is the document of a value that was never on the wire. nil is no document.
func Written(value any) Document {
	body, err := json.Marshal(value)
	if err != nil || value == nil {
		return Document{}
	}
	return Document{ContentType: runtime.ContentTypeJSON, Body: body}
}

// json is the document as JSON, or nil if it is none that can be written so.
func (d Document) json(scheme *runtime.Scheme, omitOwners bool) []byte {
	body := d.Body
	if d.ContentEncoding == "gzip" {
		unpacked, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil
		}
		if body, err = io.ReadAll(io.LimitReader(unpacked, longestDocument)); err != nil {
			return nil
		}
	}
	if len(body) == 0 {
		return nil
	}
	media, _, _ := strings.Cut(d.ContentType, ";")
	switch {
	case strings.Contains(media, "protobuf"):
		obj, _, err := protobuf.NewSerializer(scheme, scheme).Decode(body, nil, nil)
		if err != nil {
			return nil
		}
		if body, err = json.Marshal(obj); err != nil {
			return nil
		}
	case strings.Contains(media, "yaml"):
		converted, err := yaml.YAMLToJSON(body)
		if err != nil {
			return nil
		}
		body = converted
	case !json.Valid(body):
		return nil
	default:
		body = bytes.Clone(body)
	}
	if omitOwners && bytes.Contains(body, []byte(`"managedFields"`)) {
		return withoutOwners(body)
	}
	return body
}

// withoutOwners leaves managedFields out of an object, of the items of a list, and of the rows of a table.
func withoutOwners(body []byte) []byte {
	var value map[string]any
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if dec.Decode(&value) != nil {
		return body
	}
	drop := func(v any) {
		if obj, ok := v.(map[string]any); ok {
			if metadata, ok := obj["metadata"].(map[string]any); ok {
				delete(metadata, "managedFields")
			}
		}
	}
	drop(value)
	items, _ := value["items"].([]any)
	for _, item := range items {
		drop(item)
	}
	rows, _ := value["rows"].([]any)
	for _, row := range rows {
		if r, ok := row.(map[string]any); ok {
			drop(r["object"])
		}
	}
	out, err := json.Marshal(value)
	if err != nil {
		return body
	}
	return out
}

// statusOf is what an event says of the answer: the code, and what a refusal says.
func statusOf(code int, response []byte) metav1.Status {
	var status metav1.Status
	if code >= http.StatusBadRequest {
		var said metav1.Status
		if json.Unmarshal(response, &said) == nil && said.Kind == "Status" {
			status.Status, status.Message, status.Reason, status.Details = said.Status, said.Message, said.Reason, said.Details
		}
	}
	status.Code = int32(code)
	return status
}
