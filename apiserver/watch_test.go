package apiserver_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// events reads a watch, one line for each event: type, name, resourceVersion and what marks a bookmark.
type events struct {
	t    *testing.T
	resp *http.Response
	in   *bufio.Scanner
}

func (p *place) watch(t *testing.T, path, accept string) *events {
	t.Helper()
	resp := p.do("GET " + path + "\nAccept: " + accept)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("watch %s: %s", path, p.show(resp, false))
	}
	return &events{t, resp, bufio.NewScanner(resp.Body)}
}

func (e *events) next() string {
	e.t.Helper()
	if !e.in.Scan() {
		return "end"
	}
	var event struct {
		Type   string
		Object struct {
			metav1.PartialObjectMetadata
			Code    int
			Message string
			Rows    []struct {
				Object metav1.PartialObjectMetadata
			}
		}
	}
	if err := json.Unmarshal(e.in.Bytes(), &event); err != nil {
		e.t.Fatal(err)
	}
	o := &event.Object
	switch {
	case o.Code != 0:
		return fmt.Sprint(event.Type, " ", o.Code, " ", o.Message)
	case len(o.Rows) == 1:
		return fmt.Sprint(event.Type, " row ", o.Rows[0].Object.Name, " ", o.ResourceVersion)
	}
	line := fmt.Sprint(event.Type, " ", o.Kind, " ", o.Name, " ", o.ResourceVersion)
	if o.Annotations[metav1.InitialEventsAnnotationKey] == "true" {
		line += " initial-events-end"
	}
	return line
}

func (e *events) expect(lines ...string) {
	e.t.Helper()
	for _, want := range lines {
		if got := e.next(); got != want {
			e.t.Fatalf("event: got %q, want %q", got, want)
		}
	}
}

func (p *place) create(t *testing.T, namespace, name, label string) {
	t.Helper()
	if resp := p.do(fmt.Sprintf("POST /api/v1/namespaces/%s/configmaps\n\n"+`{"metadata":{"name":%q,"labels":{"app":%q}}}`, namespace, name, label)); resp.StatusCode != 201 {
		t.Fatal(p.show(resp, false))
	}
}

func (p *place) label(t *testing.T, namespace, name, label string) {
	t.Helper()
	if resp := p.do(fmt.Sprintf("PATCH /api/v1/namespaces/%s/configmaps/%s\nContent-Type: application/merge-patch+json\n\n"+`{"metadata":{"labels":{"app":%q}}}`, namespace, name, label)); resp.StatusCode != 200 {
		t.Fatal(p.show(resp, false))
	}
}

func TestWatchStates(t *testing.T) {
	p := newPlace(t)
	p.create(t, "one", "a", "x")
	p.create(t, "two", "b", "y")

	any := p.watch(t, "/api/v1/configmaps?watch=1", "application/json")
	any.expect("ADDED ConfigMap a 1", "ADDED ConfigMap b 2")
	behind := p.watch(t, "/api/v1/configmaps?watch=1&resourceVersion=1", "application/json")
	behind.expect("ADDED ConfigMap b 2")
	streamed := p.watch(t, "/api/v1/configmaps?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true", "application/json")
	streamed.expect("ADDED ConfigMap a 1", "ADDED ConfigMap b 2", "BOOKMARK ConfigMap  2 initial-events-end")
	none := p.watch(t, "/api/v1/configmaps?watch=1&sendInitialEvents=false&resourceVersionMatch=NotOlderThan", "application/json")
	p.following(4) // nothing else shows from when on the last one follows
	namespaced := p.watch(t, "/api/v1/watch/namespaces/one/configmaps", "application/json")
	namespaced.expect("ADDED ConfigMap a 1")
	selected := p.watch(t, "/api/v1/configmaps?watch=1&labelSelector=app%3Dx", "application/json")
	selected.expect("ADDED ConfigMap a 1")
	table := p.watch(t, "/api/v1/configmaps?watch=1", "application/json;as=Table;v=v1;g=meta.k8s.io")
	table.expect("ADDED row a 1", "ADDED row b 2")
	partial := p.watch(t, "/api/v1/configmaps?watch=1&fieldSelector=metadata.name%3Db", "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io")
	partial.expect("ADDED PartialObjectMetadata b 2")

	p.label(t, "two", "b", "x") // enters the selection
	p.label(t, "one", "a", "z") // leaves it
	for _, w := range []*events{any, behind, streamed, none} {
		w.expect("MODIFIED ConfigMap b 3", "MODIFIED ConfigMap a 4")
	}
	selected.expect("ADDED ConfigMap b 3", "DELETED ConfigMap a 4")
	namespaced.expect("MODIFIED ConfigMap a 4")
	table.expect("MODIFIED row b 3", "MODIFIED row a 4")
	partial.expect("MODIFIED PartialObjectMetadata b 3")

	if resp := p.do("DELETE /api/v1/namespaces/two/configmaps/b"); resp.StatusCode != 200 {
		t.Fatal(p.show(resp, false))
	}
	any.expect("DELETED ConfigMap b 5")
	selected.expect("DELETED ConfigMap b 5")
	partial.expect("DELETED PartialObjectMetadata b 5")
}

// following waits until as many watches follow changes: each waits for its end from the start, and for its bookmarks
// once it follows.
func (p *place) following(watches int) {
	for p.clock.Waiters() < 2*watches {
		time.Sleep(time.Millisecond)
	}
}

func TestWatchBookmarkNeverAhead(t *testing.T) {
	p := newPlace(t)
	p.create(t, "one", "a", "x")
	w := p.watch(t, "/api/v1/configmaps?watch=1&resourceVersion=1&allowWatchBookmarks=true", "application/json")
	for i := range 3 { // of another table
		if resp := p.do(fmt.Sprintf("POST /api/v1/namespaces/one/secrets\n\n"+`{"metadata":{"name":"s%d"}}`, i)); resp.StatusCode != 201 {
			t.Fatal(p.show(resp, false))
		}
	}
	p.following(1)
	p.clock.Step(time.Minute)
	w.expect("BOOKMARK ConfigMap  4")
}

func TestWatchEnds(t *testing.T) {
	p := newPlace(t)
	p.create(t, "one", "a", "x")
	timed := p.watch(t, "/api/v1/configmaps?watch=1&timeoutSeconds=10", "application/json")
	timed.expect("ADDED ConfigMap a 1")
	p.following(1)
	p.clock.Step(10 * time.Second)
	timed.expect("end")

	drained := p.watch(t, "/api/v1/configmaps?watch=1", "application/json")
	drained.expect("ADDED ConfigMap a 1")
	if err := p.server.Drain(context.Background()); err != nil {
		t.Fatal(err)
	}
	drained.expect("end")
	if resp := p.do("GET /api/v1/configmaps"); resp.StatusCode != http.StatusTooManyRequests {
		t.Fatalf("a request after Drain: %s", p.show(resp, false))
	}
}

func TestWatchRefusesYAML(t *testing.T) {
	p := newPlace(t)
	resp := p.do("GET /api/v1/configmaps?watch=1\nAccept: application/yaml")
	if out := p.show(resp, false); resp.StatusCode != http.StatusNotAcceptable || !strings.Contains(out, "stream=watch") {
		t.Error(out)
	}
}
