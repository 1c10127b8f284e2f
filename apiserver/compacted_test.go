package apiserver_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"proa/apiserver"
	"proa/apiserver/encode"
	"proa/kinds"
	"proa/store/storetest"
)

// page is what a list says of itself.
type page struct {
	names, next, revision string
	code                  int
	reason, message       string
}

func (p *place) page(query string) page {
	p.t.Helper()
	resp := p.do("GET /api/v1/namespaces/n/configmaps?" + query)
	var body struct {
		Code            int
		Reason, Message string
		Metadata        struct{ Continue, ResourceVersion string }
		Items           []struct{ Metadata struct{ Name string } }
	}
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		p.t.Fatal(err)
	}
	var names []string
	for _, item := range body.Items {
		names = append(names, item.Metadata.Name)
	}
	return page{strings.Join(names, " "), body.Metadata.Continue, body.Metadata.ResourceVersion, resp.StatusCode, body.Reason, body.Message}
}

// What was forgotten cannot be listed or watched; a list that was under way can be finished as things are now, in
// upstream's words.
func TestWhatWasForgotten(t *testing.T) {
	p := newChanged(t, func(c *apiserver.Config) { c.Store = storetest.NewForgetful(t, encode.Decoder(kinds.Builtin()), 4) })
	for _, name := range []string{"a", "b", "c"} {
		p.create(t, "n", name, "x")
	}
	first := p.page("limit=1")
	if first.names != "a" || first.next == "" {
		t.Fatalf("the first page: %+v", first)
	}
	p.create(t, "n", "bb", "x")
	if resp := p.do("DELETE /api/v1/namespaces/n/configmaps/c"); resp.StatusCode != http.StatusOK {
		t.Fatal(p.show(resp, false))
	}
	if got := p.page("limit=1&continue=" + first.next); got.names != "b" || got.revision != first.revision {
		t.Errorf("while it is remembered: %+v", got)
	}
	for i := range 20 {
		p.create(t, "other", fmt.Sprint("x", i), "x")
	}
	expired := p.page("limit=1&continue=" + first.next)
	if expired.code != http.StatusGone || expired.reason != "Expired" || !strings.HasPrefix(expired.message, "The provided continue parameter is too old to display a consistent list result. You can start a new list without") || expired.next == "" {
		t.Errorf("a page of what was forgotten: %+v", expired)
	}
	rest := p.page("limit=1&continue=" + expired.next)
	if rest.names != "b" || rest.revision == first.revision || rest.next == "" {
		t.Errorf("the next page as things are now: %+v", rest)
	}
	if last := p.page("continue=" + rest.next); last.names != "bb" || last.revision != rest.revision || last.next != "" {
		t.Errorf("the last page: %+v", last)
	}
	for _, query := range []string{"resourceVersionMatch=Exact&resourceVersion=" + first.revision, "limit=1&resourceVersion=" + first.revision} {
		if got := p.page(query); got.code != http.StatusGone || got.reason != "Expired" || got.message != "The resourceVersion for the provided list is too old." {
			t.Errorf("%s: %+v", query, got)
		}
	}
	if got := p.page("resourceVersion=" + first.revision); got.names != "a b bb" {
		t.Errorf("at least as new as what was forgotten: %+v", got)
	}
	w := p.watch(t, "/api/v1/namespaces/n/configmaps?watch=1&resourceVersion=1", "application/json")
	if got := w.next(); !strings.HasPrefix(got, "ERROR 410 too old resource version: 1 (") {
		t.Errorf("a watch from what was forgotten: %s", got)
	}
	if got := w.next(); got != "end" {
		t.Errorf("and then: %s", got)
	}
}
