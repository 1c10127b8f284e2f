package remote

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"proa/client"
	"proa/kinds/resource"
)

// call is one request before it is sent.
type call struct {
	method      string
	row         *resource.Resource
	ref         client.Ref
	sub         string
	query       url.Values
	body        []byte
	contentType string
}

// row finds the kind of a table.
func (r *Remote) row(table string) (*resource.Resource, error) {
	row := r.cfg.Kinds.ByTable(table)
	if row == nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("no resource is kept in table %q", table))
	}
	return row, nil
}

// url is where the call goes: the object that ref names, or the collection when it has no name.
func (c *call) url(server *url.URL) *url.URL {
	parts := []string{"api", c.row.Version}
	if c.row.Group != "" {
		parts = []string{"apis", c.row.Group, c.row.Version}
	}
	if c.row.Namespaced && c.ref.Namespace != "" {
		parts = append(parts, "namespaces", c.ref.Namespace)
	}
	parts = append(parts, c.row.Name)
	if c.ref.Name != "" {
		parts = append(parts, c.ref.Name)
	}
	if c.sub != "" {
		parts = append(parts, c.sub)
	}
	u := *server
	u = *u.JoinPath(parts...)
	u.RawQuery = c.query.Encode()
	return &u
}

func (r *Remote) request(ctx context.Context, c *call, accept string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, c.method, c.url(r.server).String(), bytes.NewReader(c.body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", r.cfg.Agent)
	req.Header.Set("Accept", accept)
	if c.contentType != "" {
		req.Header.Set("Content-Type", c.contentType)
	}
	if r.cfg.Token != nil {
		token, err := r.cfg.Token()
		if err != nil {
			return nil, fmt.Errorf("get token: %w", err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return req, nil
}

const (
	// maxTries bounds how often a server may put the same call off.
	maxTries = 5
	// maxPause bounds how long it may put it off at a time.
	maxPause = 30 * time.Second
)

// do sends the call and returns the answer's body and its type.
func (r *Remote) do(ctx context.Context, c *call) (body []byte, contentType string, err error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.cfg.Timeout)
		defer cancel()
	}
	for try := 1; ; try++ {
		resp, err := r.send(ctx, c, mediaProtobuf+", "+mediaJSON)
		if err != nil {
			return nil, "", err
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			return nil, "", fmt.Errorf("read answer of %s %s: %w", c.method, resp.Request.URL.Path, err)
		}
		if resp.StatusCode < 300 {
			return body, resp.Header.Get("Content-Type"), nil
		}
		pause, putOff := retryAfter(resp)
		if !putOff || try == maxTries {
			return nil, "", r.failure(c, resp, body)
		}
		select {
		case <-ctx.Done():
			return nil, "", ctx.Err()
		case <-r.cfg.Clock.After(pause):
		}
	}
}

func (r *Remote) send(ctx context.Context, c *call, accept string) (*http.Response, error) {
	req, err := r.request(ctx, c, accept)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	resp, err := r.transport().RoundTrip(req) // not http.Client: redirects are not followed
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", c.method, req.URL.Path, err)
	}
	return resp, nil
}

// retryAfter says whether the server puts the call off. A refusal of an eviction is none: it does not pass by waiting.
func retryAfter(resp *http.Response) (time.Duration, bool) {
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil || seconds < 0 || resp.StatusCode != http.StatusTooManyRequests {
		return 0, false
	}
	return min(time.Duration(seconds)*time.Second, maxPause), true
}

// failure turns an answer other than success into an API error.
func (r *Remote) failure(c *call, resp *http.Response, body []byte) error {
	if status, err := decodeStatus(resp.Header.Get("Content-Type"), body); err == nil && status.Status != "" {
		return &apierrors.StatusError{ErrStatus: *status}
	}
	seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
	return apierrors.NewGenericServerResponse(resp.StatusCode, c.method, c.row.GroupResource(), c.ref.Name,
		string(bytes.TrimSpace(body)), seconds, true)
}
