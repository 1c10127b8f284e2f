package apiserver_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
)

// However many names clients invent, one more thing is counted at most for each method.
func TestInventedNamesAreCountedAsOne(t *testing.T) {
	p := newPlace(t)
	for i := range 200 {
		for _, path := range []string{"/apis/g%d.example.com/v1/x", "/apis/apps/v0%d/deployments", "/api/v1/x%d", "/api/v1/watch/x%d", "/api/v1/namespaces/a/pods/b/x%d", "/x%d"} {
			r := httptest.NewRequest(fmt.Sprintf("X%d", i), fmt.Sprintf(path, i), nil)
			r.Header.Set("X-User", "admin")
			p.server.Handler().ServeHTTP(httptest.NewRecorder(), r)
			r.Method = http.MethodGet
			p.server.Handler().ServeHTTP(httptest.NewRecorder(), r)
		}
	}
	for path, want := range map[string]int{"/api/v1/namespaces/a/pods/b/log": 404, "/apis/apps/v1/namespaces/a/deployments/b/scale": 404, "/api/v1/namespaces/a/pods": 200} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("X-User", "admin")
		p.server.Handler().ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	for _, f := range p.server.Measures() {
		if f.Name != "apiserver_request_total" {
			continue
		}
		var known []string
		for _, s := range f.Samples {
			if resource := s.Values[4]; resource != "" {
				known = append(known, resource+"/"+s.Values[5])
			}
		}
		slices.Sort(known)
		if got := fmt.Sprint(known); got != "[deployments/scale pods/ pods/log]" || len(f.Samples) > 20 {
			t.Errorf("%d things were counted, of resources %s", len(f.Samples), got)
		}
	}
}
