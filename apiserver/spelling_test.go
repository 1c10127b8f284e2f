package apiserver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"proa/apiserver"
	"proa/apiserver/auth"
)

// observer allows everything, or nothing, and remembers what it was asked last.
type observer struct {
	mu     sync.Mutex
	last   *auth.Attributes
	refuse bool
}

func (o *observer) Authorize(_ context.Context, a auth.Attributes) (bool, string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last = &a
	return !o.refuse, "", nil
}

// spellings of a path: as it is, and as somebody would write it who hopes that two readers disagree.
func spellings(path string) []string {
	all := []string{path, path + "/", "/" + path, strings.ToUpper(path), path + ";a=b", path + "%00", path + "%2F", path + "%20", path + "/.", path + "/..", path + "?", path + "%3Fwatch=1", path + "#x"}
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i := range segments {
		spell := func(segment string) {
			with := append(append(append([]string{}, segments[:i]...), segment), segments[i+1:]...)
			all = append(all, "/"+strings.Join(with, "/"))
		}
		s := segments[i]
		spell("/" + s)
		spell("./" + s)
		spell("x/../" + s)
		spell("x/%2e%2e/" + s)
		spell("x%2F..%2F" + s)
		spell("%2e/" + s)
		spell(s + ";jsessionid=1")
		spell(s + "%00")
		spell("%00" + s)
		spell(s + "%2f")
		spell(s + "%5c..")
		spell(strings.ToUpper(s))
		spell(strings.ReplaceAll(url.PathEscape(s), s, fmt.Sprintf("%%%02X", s[0])+s[1:]))
		spell(fmt.Sprintf("%%25%02X", s[0]) + s[1:])
		if i+1 < len(segments) {
			with := append(append(append([]string{}, segments[:i]...), s+"%2F"+segments[i+1]), segments[i+2:]...)
			all = append(all, "/"+strings.Join(with, "/"))
		}
	}
	return all
}

// TestEverySpellingIsAuthorizedAsWhatItReaches: whatever path reaches an object, authorization was asked about that
// object and that verb (CVE-2019-11247, CVE-2022-3162); and when it says no, nothing is reached.
func TestEverySpellingIsAuthorizedAsWhatItReaches(t *testing.T) {
	watcher := &observer{}
	p := newChanged(t, func(c *apiserver.Config) { c.Authorizer = watcher })
	for _, made := range []string{
		"/api/v1/namespaces\n\n{\"metadata\":{\"name\":\"a\"}}",
		"/api/v1/namespaces/a/secrets\n\n{\"metadata\":{\"name\":\"b\"}}",
		"/api/v1/namespaces/a/configmaps\n\n{\"metadata\":{\"name\":\"b\"}}",
		"/apis/rbac.authorization.k8s.io/v1/clusterroles\n\n{\"metadata\":{\"name\":\"b\"}}",
		"/apis/rbac.authorization.k8s.io/v1/namespaces/a/roles\n\n{\"metadata\":{\"name\":\"b\"}}",
	} {
		if code := p.do("POST " + made).StatusCode; code != http.StatusCreated {
			t.Fatalf("%s: %d", made, code)
		}
	}
	reached, refused := 0, 0
	for _, path := range []string{"/api/v1/namespaces/a", "/api/v1/namespaces/a/secrets/b", "/api/v1/namespaces/a/configmaps/b", "/api/v1/secrets/b",
		"/apis/rbac.authorization.k8s.io/v1/clusterroles/b", "/apis/rbac.authorization.k8s.io/v1/namespaces/a/roles/b",
		"/apis/rbac.authorization.k8s.io/v1/namespaces/a/clusterroles/b", "/api/v1/proxy/namespaces/a/secrets/b"} {
		for _, spelling := range spellings(path) {
			for method, verb := range map[string]string{"GET": "get", "HEAD": "get", "DELETE": "delete", "PATCH": "patch"} {
				r, err := spelled(method, spelling)
				if err != nil {
					continue // net/http would not let it in
				}
				for _, watcher.refuse = range []bool{false, true} {
					watcher.last = nil
					w := httptest.NewRecorder()
					p.server.Handler().ServeHTTP(w, r.Clone(t.Context()))
					if w.Code >= http.StatusBadRequest {
						refused++
						continue
					}
					reached++
					if watcher.refuse {
						t.Errorf("%s %s: %d, though authorization refused", method, spelling, w.Code)
					}
					sameObject(t, verb, spelling, watcher.last, w.Body.Bytes())
				}
			}
		}
	}
	if reached < 50 || refused < 500 {
		t.Errorf("%d requests reached something and %d did not: the matrix tests little", reached, refused)
	}
}

func spelled(method, path string) (*http.Request, error) {
	u, err := url.ParseRequestURI(strings.ReplaceAll(path, "#", "%23"))
	if err != nil {
		return nil, err
	}
	q := u.Query()
	q.Set("dryRun", "All")
	q.Set("timeoutSeconds", "1")
	u.RawQuery = q.Encode()
	r := httptest.NewRequest(method, "/", strings.NewReader("{}"))
	r.URL, r.RequestURI = u, u.RequestURI()
	r.Header.Set("X-User", "admin")
	if method == "PATCH" {
		r.Header.Set("Content-Type", "application/merge-patch+json")
	} else {
		r.Body = http.NoBody
	}
	return r, nil
}

// sameObject compares what authorization was asked with the object that was answered.
func sameObject(t *testing.T, verb, path string, asked *auth.Attributes, body []byte) {
	t.Helper()
	var got struct {
		Kind     string
		Metadata struct{ Name, Namespace string }
		Details  struct{ Name, Kind string }
	}
	if asked == nil {
		t.Errorf("%s %s: nobody was asked", verb, path)
		return
	}
	if len(body) == 0 || json.Unmarshal(body, &got) != nil || !asked.IsResourceRequest {
		return // a path that is no resource, or an answer without an object
	}
	resources := map[string]string{"Namespace": "namespaces", "Secret": "secrets", "ConfigMap": "configmaps", "ClusterRole": "clusterroles", "Role": "roles"}
	name, kind, namespace := got.Metadata.Name, resources[got.Kind], got.Metadata.Namespace
	if got.Kind == "Status" {
		name, kind, namespace = got.Details.Name, got.Details.Kind, asked.Namespace
	}
	if kind == "namespaces" {
		namespace = name
	}
	if asked.Verb != verb || asked.Resource != kind || asked.Name != name || asked.Namespace != namespace {
		t.Errorf("%s %s reached %s %s/%s, and authorization was asked whether to %s %s %s/%s", verb, path, kind, namespace, name,
			asked.Verb, asked.Resource, asked.Namespace, asked.Name)
	}
}
