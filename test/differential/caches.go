package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// caches says that a server answers some requests from caches that follow its store, as upstream's does. What it answers
// then depends on how far they have come, so that it is asked only when they hold what was written before.
type caches bool

// readByAdmission are the kinds that upstream's admission and authorizer read from caches of their own.
var readByAdmission = []string{"limitranges", "resourcequotas", "priorityclasses", "runtimeclasses", "storageclasses", "ingressclasses", "csidrivers",
	"serviceaccounts", "namespaces", "clusterroles", "clusterrolebindings", "roles", "rolebindings", "nodes"}

// follow is how long those caches are given. Nothing tells a client that they hold an object; they do within milliseconds.
const follow = 60 * time.Millisecond

// before waits until a list of a revision that the client names, or a watch, is answered from all that was written: a list
// that names none is answered only then.
func (c caches) before(ctx context.Context, v *server, s *symbols, r request) error {
	path, query, _ := strings.Cut(r.path, "?")
	if !bool(c) || !strings.Contains(query, "resourceVersion") && !strings.Contains(query, "watch=") {
		return nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.url+s.fill(path)+"?limit=1", nil)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	resp, err := v.client.Do(req)
	if err != nil {
		return fmt.Errorf("wait for caches: %w", err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return fmt.Errorf("wait for caches: %w", err)
	}
	return nil
}

// after waits until admission may know of a write.
func (c caches) after(ctx context.Context, r request, code int) {
	resource, _, _ := strings.Cut(kindOf(r.path), "/")
	if !bool(c) || r.method == http.MethodGet || code >= 300 || !slices.Contains(readByAdmission, resource) {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(follow):
	}
}
