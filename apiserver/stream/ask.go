package stream

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// mostAnswer bounds what a node may answer, in bytes.
const mostAnswer = 64 << 20

// Ask returns what a node answers on a path of its own API.
func (s *Streams) Ask(ctx context.Context, node, path string) ([]byte, error) {
	host, err := s.nodeHost(node)
	if err != nil {
		return nil, err
	}
	location := url.URL{Scheme: "https", Host: host, Path: path}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, location.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("ask node %s: %w", node, err)
	}
	response, err := s.nodes.RoundTrip(request)
	if err != nil {
		return nil, fmt.Errorf("ask node %s: %w", node, err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, mostAnswer))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %.200s", response.Status, data)
	}
	if err != nil {
		return nil, fmt.Errorf("ask node %s: %w", node, err)
	}
	return data, nil
}
