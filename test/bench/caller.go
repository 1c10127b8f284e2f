package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"

	"proa/test/bench/wire"
)

// caller makes the requests of the API load, one at a time over a connection of its own, as clients of different programs do.
// It reads each answer to its last byte and decodes none.
type caller struct{ conn *wire.Conn }

// dial makes n callers.
func (c *client) dial(ctx context.Context, n int) ([]caller, error) {
	all := make([]caller, n)
	for i := range all {
		conn, err := wire.Dial(ctx, c.config)
		if err != nil {
			return nil, hangUp(all[:i], fmt.Errorf("caller %d: %w", i, err))
		}
		all[i] = caller{conn}
	}
	return all, nil
}

// hangUp closes connections that nothing is expected of any more, and passes on the error that led to it.
func hangUp(callers []caller, err error) error {
	for _, c := range callers {
		c.conn.Close()
	}
	return err
}

func (t target) path() string {
	if t.namespace == "" {
		return "/api/v1/" + t.resource
	}
	return "/api/v1/namespaces/" + t.namespace + "/" + t.resource
}

// encoded is an object as a create sends it.
func encoded(obj runtime.Object) ([]byte, error) {
	kinds, _, err := scheme.Scheme.ObjectKinds(obj)
	if err != nil {
		return nil, fmt.Errorf("name kind: %w", err)
	}
	obj.GetObjectKind().SetGroupVersionKind(kinds[0])
	var body bytes.Buffer
	if err := protobuf.NewSerializer(scheme.Scheme, scheme.Scheme).Encode(obj, &body); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return body.Bytes(), nil
}

func (c caller) do(method, path, contentType string, body []byte) error {
	return c.conn.Do(wire.Request{Method: method, Path: path, ContentType: contentType, Accept: runtime.ContentTypeProtobuf, Body: body})
}

func (c caller) create(t target, body []byte) error {
	if err := c.do("POST", t.path(), runtime.ContentTypeProtobuf, body); err != nil {
		return err
	}
	return c.conn.Discard()
}

func (c caller) get(t target, name string) error {
	if err := c.do("GET", t.path()+"/"+name, "", nil); err != nil {
		return err
	}
	return c.conn.Discard()
}

// patch changes an object, or its subresource, which begins with a slash.
func (c caller) patch(t target, name, subresource, patch string) error {
	if err := c.do("PATCH", t.path()+"/"+name+subresource, "application/strategic-merge-patch+json", []byte(patch)); err != nil {
		return err
	}
	return c.conn.Discard()
}

// list counts the items of a list.
func (c caller) list(t target, selector string) (int, error) {
	query := ""
	if selector != "" {
		query = "?labelSelector=" + url.QueryEscape(selector)
	}
	if err := c.do("GET", t.path()+query, "", nil); err != nil {
		return 0, err
	}
	var count itemCount
	for {
		piece, err := c.conn.Piece()
		if errors.Is(err, io.EOF) {
			return count.items, nil
		}
		if err != nil {
			return 0, err
		}
		if err := count.add(piece); err != nil {
			return 0, err
		}
	}
}

// watch begins a watch: its stream is what the connection reads from here on. See frames.
func (c caller) watch(t target, since string) error {
	return c.do("GET", t.path()+"?watch=true&resourceVersion="+url.QueryEscape(since), "", nil)
}
