package encode

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime"

	"proa/kinds/resource"
	"proa/store"
)

// Responder writes answers to one request in the form that was negotiated.
type Responder struct {
	Accept  Accept
	Request *http.Request
	Now     func() time.Time // for the ages in tables; a watch asks anew for each event
	Include string           // of tables: "None", "Metadata" or "Object"; "" is Metadata
}

// Item answers with a stored object.
func (p Responder) Item(w http.ResponseWriter, code int, v *Version, item *store.Item) error {
	if p.Accept.Shape != Whole {
		ruled, err := v.Ruled(item)
		if err != nil {
			return err
		}
		obj, err := v.Object(item)
		if err != nil {
			return err
		}
		return p.shaped(w, code, v, ruled, obj)
	}
	if p.Accept.Format == Protobuf {
		return p.protoItem(w, code, v, item)
	}
	b, err := v.json(item)
	if err != nil {
		return err
	}
	if p.Accept.Format == JSON && !p.Accept.Pretty {
		b = append(b[:len(b):len(b)], '\n')
	}
	return p.jsonBytes(w, code, b)
}

// itemBuffers hold the answers of protoItem, which were an eighth of the garbage of a get.
var itemBuffers = sync.Pool{New: func() any { return new([]byte) }}

// longestItemBuffer is how large a buffer is kept.
const longestItemBuffer = 64 << 10

func (p Responder) protoItem(w http.ResponseWriter, code int, v *Version, item *store.Item) error {
	buffer := itemBuffers.Get().(*[]byte)
	b, err := v.appendItem((*buffer)[:0], item)
	if err != nil {
		return err
	}
	body := p.begin(w, code, len(b))
	if writeRecords(body, b) != nil {
		return nil // the client is gone, and HTTP/2 may still be reading the buffer
	}
	if cap(b) <= longestItemBuffer {
		*buffer = b
		itemBuffers.Put(buffer)
	}
	return body.Close()
}

// Object answers with an object that is not stored, such as a dry run's. obj is of this version, with its type.
func (p Responder) Object(w http.ResponseWriter, code int, v *Version, obj resource.Object) error {
	if p.Accept.Shape == Whole {
		return p.Body(w, code, obj)
	}
	stored, err := v.ToStored(obj)
	if err != nil {
		return err
	}
	return p.shaped(w, code, v, stored, obj)
}

// shaped answers with a form of an object that is not the object: ruled is what the row's rules are for, shown is of the
// version that was asked for.
func (p Responder) shaped(w http.ResponseWriter, code int, v *Version, ruled, shown resource.Object) error {
	if p.Accept.Shape == Partial {
		return p.partial(w, code, v, ruled)
	}
	if err := p.checkInclude(); err != nil {
		return err
	}
	return p.table(w, code, v.Resource, ruled, shown)
}

// Part answers with what a subresource shows of an object, such as a Scale. r has its columns.
func (p Responder) Part(w http.ResponseWriter, code int, v *Version, r *resource.Resource, obj resource.Object) error {
	switch p.Accept.Shape {
	case Whole:
		return p.Body(w, code, obj)
	case Partial:
		return p.partial(w, code, v, obj)
	}
	if err := p.checkInclude(); err != nil {
		return err
	}
	return p.table(w, code, r, obj, obj)
}

func (p Responder) partial(w http.ResponseWriter, code int, v *Version, ruled resource.Object) error {
	if p.Accept.OfList {
		return v.noShape("PartialObjectMetadataList", "not a list", "")
	}
	return p.Body(w, code, partial(v.Resource, ruled, p.Accept.Version))
}

func (p Responder) table(w http.ResponseWriter, code int, r *resource.Resource, ruled, shown resource.Object) error {
	t := newTable(r, p.Accept.Version)
	if err := t.add(ruled, shown, p); err != nil {
		return err
	}
	t.ResourceVersion = shown.GetResourceVersion()
	return p.Body(w, code, &t.Table)
}

// Body answers with any API object that has its type set, as it is.
func (p Responder) Body(w http.ResponseWriter, code int, obj runtime.Object) error {
	b, err := p.encode(obj)
	if err != nil {
		return err
	}
	if p.Accept.Format == Protobuf {
		return p.bytes(w, code, b)
	}
	return p.jsonBytes(w, code, b)
}

// encode gives the whole body of an object in the negotiated format, but YAML and indentation.
func (p Responder) encode(obj runtime.Object) ([]byte, error) {
	if p.Accept.Format != Protobuf {
		b, err := json.Marshal(obj)
		if err != nil {
			return nil, fmt.Errorf("encode %T: %w", obj, err)
		}
		return append(b, '\n'), nil
	}
	m, ok := obj.(protoMessage)
	if !ok {
		return nil, notAcceptable(mediaTypes[:2])
	}
	raw, err := marshal(m)
	if err != nil {
		return nil, err
	}
	gvk := obj.GetObjectKind().GroupVersionKind()
	apiVersion := gvk.GroupVersion().String()
	b := make([]byte, 0, len(raw)+len(apiVersion)+len(gvk.Kind)+24)
	return append(appendUnknown(b, apiVersion, gvk.Kind, len(raw)), raw...), nil
}

// Error answers with a Status. It takes any error. Who takes no form of a Status gets indented JSON, as upstream has it.
func (p Responder) Error(w http.ResponseWriter, err error) {
	status := StatusOf(err)
	if p.Request != nil {
		var refused error
		if p.Accept, refused = negotiateError(p.Request); refused != nil {
			p.Accept = Accept{Pretty: true}
		}
	}
	p.Accept.Shape = Whole
	if status.Details != nil && status.Details.RetryAfterSeconds > 0 {
		w.Header().Set("Retry-After", fmt.Sprint(status.Details.RetryAfterSeconds))
	}
	code := int(status.Code)
	if code < http.StatusOK || code > 999 { // a webhook chose it; HTTP has no such code for the end of a request
		code = http.StatusInternalServerError
	}
	if err := p.Body(w, code, status); err != nil {
		http.Error(w, status.Message, code)
	}
}

func (p Responder) jsonBytes(w http.ResponseWriter, code int, b []byte) error {
	var err error
	switch {
	case p.Accept.Format == YAML:
		b, err = toYAML(b)
	case p.Accept.Pretty:
		b, err = indent(b)
	}
	if err != nil {
		return err
	}
	return p.bytes(w, code, b)
}

func (p Responder) bytes(w http.ResponseWriter, code int, b []byte) error {
	body := p.begin(w, code, len(b))
	if err := writeRecords(body, b); err != nil {
		return nil // the client is gone; there is nobody to tell
	}
	return body.Close()
}
