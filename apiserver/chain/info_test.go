package chain_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"proa/apiserver/chain"
	"proa/internal/growth"
)

// TestInfo prints what requests are about: one request a line.
func TestInfo(t *testing.T) {
	datadriven.RunTest(t, "testdata/info", func(t *testing.T, d *datadriven.TestData) string {
		var out strings.Builder
		for line := range strings.Lines(d.Input) {
			method, url, _ := strings.Cut(strings.TrimSpace(line), " ")
			info, err := chain.ParseInfo(httptest.NewRequest(method, url, nil))
			if err != nil {
				fmt.Fprintln(&out, "error:", err)
				continue
			}
			out.WriteString(describe(info) + "\n")
		}
		return out.String()
	})
}

func describe(i *chain.Info) string {
	if !i.IsResource {
		return fmt.Sprintf("%s path %s", i.Verb, i.Path)
	}
	s := fmt.Sprintf("%s %s.%s/%s ns=%q name=%q", i.Verb, i.Resource, i.Version, i.Group, i.Namespace, i.Name)
	if i.Subresource != "" {
		s += " sub=" + i.Subresource
	}
	if i.FieldSelector+i.LabelSelector != "" {
		s += fmt.Sprintf(" select=%q,%q", i.FieldSelector, i.LabelSelector)
	}
	if chain.LongRunning(i) {
		s += " long"
	}
	return s
}

// FuzzParseInfo: nothing panics, and a path that names an object is read the same when the parts are put together again.
func FuzzParseInfo(f *testing.F) {
	for _, path := range []string{"/api/v1/pods", "/api/v1/namespaces/a/pods/b/log", "/apis/apps/v1/namespaces/a/deployments/b/scale",
		"/api/v1/watch/namespaces/a/pods", "/api//v1", "/apis/a/b/c/../d", "/api/v1/namespaces/a/status", "//", "/api/v1/namespaces"} {
		f.Add(path, "GET", "watch=1&fieldSelector=metadata.name%3Da")
	}
	var grown growth.Watch
	f.Fuzz(func(t *testing.T, path, method, query string) {
		grown.Tried(t)
		if strings.Contains(path, "//") {
			return // refused before anybody looks (TestPathEncodings)
		}
		r := &http.Request{Method: method, URL: httptest.NewRequest("GET", "/", nil).URL}
		r.URL.Path, r.URL.RawQuery = path, query
		info, err := chain.ParseInfo(r)
		if err != nil || !info.IsResource || info.Verb == "proxy" || strings.HasPrefix(strings.Trim(path, "/"), "api/"+info.Version+"/watch") {
			return
		}
		if info.Resource == "" {
			t.Errorf("%q names no resource: %+v", path, info)
		}
		if len(info.Parts) > 1 && info.Name != info.Parts[1] || len(info.Parts) > 2 && info.Subresource != info.Parts[2] {
			t.Errorf("%q: parts %q, name %q, subresource %q", path, info.Parts, info.Name, info.Subresource)
		}
		if !strings.Contains(path, info.Namespace) || !strings.Contains(path, info.Group) || !strings.Contains(path, info.Resource) {
			t.Errorf("%q: %+v", path, info)
		}
	})
}
