package remote

import (
	"context"
	"fmt"
	"net/url"
	"strconv"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"

	"proa/client"
	"proa/kinds/resource"
)

// pageSize bounds what a list holds in memory of encoded objects at a time.
const pageSize = "500"

// listAndWatch is a stream for servers that cannot send what is there through a watch.
func (r *Remote) listAndWatch(ctx context.Context, row *resource.Resource, sel client.Selection) (client.Stream, error) {
	s := &listed{}
	query := url.Values{"limit": {pageSize}}
	for {
		c := selectionCall(row, sel, query)
		body, contentType, err := r.do(ctx, c)
		if err != nil {
			return nil, err
		}
		list := row.NewList()
		if err := decode(contentType, body, list); err != nil {
			return nil, err
		}
		next, err := s.add(row, list)
		if err != nil {
			return nil, err
		}
		if next == "" {
			break
		}
		query = url.Values{"limit": {pageSize}, "continue": {next}}
	}
	s.waiting = append(s.waiting, client.Message{Revision: s.revision, Complete: true})
	var err error
	s.Stream, err = r.watch(ctx, row, sel, url.Values{"resourceVersion": {strconv.FormatInt(s.revision, 10)}})
	return s, err
}

// listed is a stream that begins with what a list said.
type listed struct {
	client.Stream
	waiting  []client.Message
	revision int64
}

// add takes a page, and returns where the next one begins.
func (s *listed) add(row *resource.Resource, list runtime.Object) (next string, err error) {
	m, err := meta.ListAccessor(list)
	if err != nil {
		return "", fmt.Errorf("read list: %w", err)
	}
	if s.revision, err = strconv.ParseInt(m.GetResourceVersion(), 10, 64); err != nil {
		return "", fmt.Errorf("read list: %w", err)
	}
	return m.GetContinue(), meta.EachListItem(list, func(item runtime.Object) error {
		obj, ok := item.(client.Object)
		if !ok {
			return fmt.Errorf("read list: %T has no metadata", item)
		}
		obj.GetObjectKind().SetGroupVersionKind(row.GroupVersionKind())
		s.waiting = append(s.waiting, client.Message{Type: client.Created, Object: obj, Revision: s.revision})
		return nil
	})
}

// Next implements client.Stream.
func (s *listed) Next() (client.Message, error) {
	if len(s.waiting) == 0 {
		return s.Stream.Next()
	}
	m := s.waiting[0]
	s.waiting = s.waiting[1:]
	return m, nil
}
