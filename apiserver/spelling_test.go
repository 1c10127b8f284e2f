package apiserver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
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
	all := []string{path, path + "/", "/" + path, strings.ToUpper(path), path + ";a=b", path + "%00", path + "%2F", path + "%20", path + "/.", path + "/..", path + "?", path + "%3Fwatch=1", path + "#x",
		path + "//", path + "///", "/." + path, "/.." + path, "/%2e" + path, path + "%3B", path + "..;/", path + "%0a", path + "%0d%0aX:%20y", path + ".", path + "%E2%80%8B", path + "?fieldSelector=metadata.name%3Db",
		path + "?fieldSelector=metadata.name%3Dc", path + "?namespace=other&name=c&resource=configmaps", path + "?dryRun=All&dryRun=All", strings.Replace(path, "/v1/", "/v1/watch/../", 1)}
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
		spell("..;/" + s)
		spell("%EF%BC%8F" + s) // a slash of full width
		spell("%C0%AF" + s)    // a slash in two bytes, which is no UTF-8
		spell(s + "%C0%AE%C0%AE")
		spell(s + "%E2%80%8B") // a space without width
		spell("%EF%BB%BF" + s)
		spell(s + ".")
		spell(s + "%09")
		spell("\\" + s)
		spell(strings.ToUpper(s[:1]) + s[1:])
		if i > 0 {
			spell(segments[i-1] + "/../" + s)
		}
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
	for _, path := range []string{"/api/v1/namespaces/a/secrets", "/api/v1/secrets", "/api/v1/namespaces", "/apis/rbac.authorization.k8s.io/v1/roles", "/apis/rbac.authorization.k8s.io/v1/namespaces/a/clusterroles",
		"/api/v1/namespaces/a/status", "/api/v1/namespaces/a/secrets/b/status", "/api/v1/namespaces/a/configmaps/b/finalize",
		"/api/v1/namespaces/a", "/api/v1/namespaces/a/secrets/b", "/api/v1/namespaces/a/configmaps/b", "/api/v1/secrets/b",
		"/apis/rbac.authorization.k8s.io/v1/clusterroles/b", "/apis/rbac.authorization.k8s.io/v1/namespaces/a/roles/b",
		"/apis/rbac.authorization.k8s.io/v1/namespaces/a/clusterroles/b", "/api/v1/proxy/namespaces/a/secrets/b"} {
		for _, spelling := range spellings(path) {
			for method, verb := range map[string]string{"GET": "get", "HEAD": "get", "DELETE": "delete", "PATCH": "patch", "POST": "create", "PUT": "update"} {
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
	switch method {
	case "PATCH":
		r.Header.Set("Content-Type", "application/merge-patch+json")
	case "POST", "PUT":
		r.Body = io.NopCloser(strings.NewReader(`{"metadata":{"name":"b"}}`))
	default:
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
	if len(body) == 0 || json.Unmarshal(body, &got) != nil {
		return // an answer without an object
	}
	resources := map[string]string{"Namespace": "namespaces", "Secret": "secrets", "ConfigMap": "configmaps", "ClusterRole": "clusterroles", "Role": "roles"}
	if of, isList := strings.CutSuffix(got.Kind, "List"); isList && resources[of] != "" {
		sameList(t, verb, path, asked, resources[of], body)
		return
	}
	name, kind, namespace := got.Metadata.Name, resources[got.Kind], got.Metadata.Namespace
	if !asked.IsResourceRequest {
		if kind != "" {
			t.Errorf("%s %s reached %s %s/%s, and authorization was asked for a path", verb, path, kind, namespace, name)
		}
		return
	}
	if got.Kind == "Status" {
		name, kind, namespace = got.Details.Name, got.Details.Kind, asked.Namespace
	}
	if kind == "namespaces" {
		namespace = name
	}
	if verb == "create" {
		asked.Name = name // authorization does not know what is in the body
		if kind == "namespaces" {
			namespace = ""
		}
	}
	if asked.Verb != verb || asked.Resource != kind || asked.Name != name || asked.Namespace != namespace {
		t.Errorf("%s %s reached %s %s/%s, and authorization was asked whether to %s %s %s/%s", verb, path, kind, namespace, name,
			asked.Verb, asked.Resource, asked.Namespace, asked.Name)
	}
}

// sameList compares what authorization was asked with the objects of a list.
func sameList(t *testing.T, verb, path string, asked *auth.Attributes, kind string, body []byte) {
	t.Helper()
	var list struct {
		Items []struct {
			Metadata struct{ Name, Namespace string }
		}
	}
	if err := json.Unmarshal(body, &list); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"get": "list", "delete": "deletecollection"}[verb]
	if asked.Verb != want || asked.Resource != kind || !asked.IsResourceRequest || asked.Subresource != "" {
		t.Errorf("%s %s reached a list of %s, and authorization was asked whether to %s %s", verb, path, kind, asked.Verb, asked.Resource)
	}
	for _, item := range list.Items {
		if m := item.Metadata; asked.Namespace != "" && kind != "namespaces" && m.Namespace != asked.Namespace || asked.Name != "" && m.Name != asked.Name {
			t.Errorf("%s %s reached %s %s/%s, and authorization was asked for %s/%s", verb, path, kind, m.Namespace, m.Name, asked.Namespace, asked.Name)
		}
	}
}

// TestEveryDocumentIsAuthorizedAsWhatItIs: a path that is no resource and is answered is one that rules can name, but for a
// slash at its end.
func TestEveryDocumentIsAuthorizedAsWhatItIs(t *testing.T) {
	watcher := &observer{}
	p := newChanged(t, func(c *apiserver.Config) { c.Authorizer = watcher })
	documents := []string{"/version", "/api", "/api/v1", "/apis", "/apis/apps", "/apis/apps/v1", "/openapi/v2", "/openapi/v3", "/openapi/v3/apis/apps/v1"}
	answered := 0
	for _, path := range documents {
		for _, spelling := range spellings(path) {
			for _, method := range []string{"GET", "POST"} {
				r, err := spelled(method, spelling)
				if err != nil {
					continue
				}
				for _, watcher.refuse = range []bool{false, true} {
					watcher.last = nil
					w := httptest.NewRecorder()
					p.server.Handler().ServeHTTP(w, r.Clone(t.Context()))
					if w.Code >= http.StatusBadRequest {
						continue
					}
					answered++
					if watcher.refuse || watcher.last == nil || watcher.last.IsResourceRequest || !slices.Contains(documents, strings.TrimSuffix(watcher.last.Path, "/")) {
						t.Errorf("%s %s: %d, after authorization was asked for %+v", method, spelling, w.Code, watcher.last)
					}
				}
			}
		}
	}
	if answered < 2*len(documents) {
		t.Errorf("%d documents were answered: the matrix tests little", answered)
	}
}
