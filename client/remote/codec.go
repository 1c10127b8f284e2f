package remote

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"proa/client"
)

const (
	mediaJSON     = "application/json"
	mediaProtobuf = "application/vnd.kubernetes.protobuf"
)

// magic begins every protobuf body of the Kubernetes API.
var magic = []byte("k8s\x00")

// message is what every API type of the libraries implements.
type message interface {
	Marshal() ([]byte, error)
	Unmarshal([]byte) error
	Reset()
}

// encode writes an object under the version of its Go type. It does not touch the object.
func (r *Remote) encode(obj client.Object) (body []byte, contentType string, err error) {
	kinds, _, err := r.scheme.ObjectKinds(obj)
	if err != nil {
		return nil, "", fmt.Errorf("encode object: %w", err)
	}
	m, ok := obj.(message)
	if !ok {
		return nil, "", fmt.Errorf("encode %T: not a protobuf message", obj)
	}
	raw, err := m.Marshal()
	if err != nil {
		return nil, "", fmt.Errorf("encode %T: %w", obj, err)
	}
	apiVersion, kind := kinds[0].ToAPIVersionAndKind()
	unknown := runtime.Unknown{TypeMeta: runtime.TypeMeta{APIVersion: apiVersion, Kind: kind}, Raw: raw}
	envelope, err := unknown.Marshal()
	if err != nil {
		return nil, "", fmt.Errorf("encode %T: %w", obj, err)
	}
	return append(magic[:len(magic):len(magic)], envelope...), mediaProtobuf, nil
}

// decode reads a body into an empty object and names its type, as the objects of a local client are.
func decode(contentType string, body []byte, into runtime.Object) error {
	if media, _, _ := mime.ParseMediaType(contentType); media != mediaProtobuf {
		if err := json.Unmarshal(body, into); err != nil {
			return fmt.Errorf("decode %T: %w", into, err)
		}
		return nil
	}
	unknown, err := open(body)
	if err != nil {
		return err
	}
	m, ok := into.(message)
	if !ok {
		return fmt.Errorf("decode %T: not a protobuf message", into)
	}
	if err := m.Unmarshal(unknown.Raw); err != nil {
		return fmt.Errorf("decode %T: %w", into, err)
	}
	into.GetObjectKind().SetGroupVersionKind(unknown.GroupVersionKind())
	return nil
}

// kindOf is the kind that a body says it is.
func kindOf(contentType string, body []byte) string {
	if media, _, _ := mime.ParseMediaType(contentType); media != mediaProtobuf {
		var t metav1.TypeMeta
		_ = json.Unmarshal(body, &t) // what is no JSON has no kind
		return t.Kind
	}
	unknown, err := open(body)
	if err != nil {
		return ""
	}
	return unknown.Kind
}

func open(body []byte) (*runtime.Unknown, error) {
	rest, ok := bytes.CutPrefix(body, magic)
	if !ok {
		return nil, fmt.Errorf("decode protobuf: the body does not begin as one")
	}
	unknown := &runtime.Unknown{}
	if err := unknown.Unmarshal(rest); err != nil {
		return nil, fmt.Errorf("decode protobuf: %w", err)
	}
	return unknown, nil
}

func decodeStatus(contentType string, body []byte) (*metav1.Status, error) {
	if kind := kindOf(contentType, body); kind != "Status" {
		return nil, fmt.Errorf("decode status: the body is %q", kind)
	}
	status := &metav1.Status{}
	return status, decode(contentType, body, status)
}

func jsonOf(value any) ([]byte, error) {
	body, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", value, err)
	}
	return body, nil
}
