package apiserver_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	k8sruntime "k8s.io/apimachinery/pkg/runtime"

	"proa/internal/growth"
	"proa/kinds"
	"proa/kinds/resource"
)

// target is a server that inputs are thrown at. Nothing is stored: writes are dry runs, so that what grows is a leak.
type target struct {
	*place
	others bool // who answers wrongly is not the server: it may answer 500, or what code it was told
	growth growth.Watch
}

func newTarget(f *testing.F) *target {
	f.Helper()
	t := &target{place: newPlace(f)}
	for _, body := range []string{"namespaces\n\n{\"metadata\":{\"name\":\"a\"}}", "namespaces/a/configmaps\n\n{\"metadata\":{\"name\":\"b\"},\"data\":{\"k\":\"v\"}}",
		"namespaces/a/pods\n\n{\"metadata\":{\"name\":\"b\",\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}"} {
		if code := t.do("POST /api/v1/" + body).StatusCode; code != http.StatusCreated {
			f.Fatalf("%s: %d", body, code)
		}
	}
	return t
}

// upstreamFaults are errors that upstream answers with 500 though the client is to blame, and that Proa words alike.
var upstreamFaults = regexp.MustCompile(`failed to create (typed patch object|RequestInfo)|resourceVersion: Invalid value`)

// strategic patches are refused with 500 by upstream, too, for whatever its library does not like.
const strategic = "application/strategic-merge-patch+json"

// send serves one request and fails when the server panics, answers with what is no status, grows, or leaves goroutines.
func (p *target) send(t testing.TB, method, path, query string, header map[string]string, body string) {
	t.Helper()
	r := httptest.NewRequest(method, "/", strings.NewReader(body))
	r.URL = &url.URL{Path: path, RawQuery: query}
	r.RequestURI = path
	r.Header.Set("X-User", "admin")
	for name, value := range header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	p.server.Handler().ServeHTTP(w, r)
	wrong := w.Code == http.StatusInternalServerError && !p.others && !upstreamFaults.Match(w.Body.Bytes()) && header["Content-Type"] != strategic
	if wrong || bytes.Contains(w.Body.Bytes(), []byte("panic'd")) || w.Code < 200 || w.Code > 599 && !p.others {
		t.Errorf("%s %s?%s %v: %d %s\n%q", method, path, query, header, w.Code, w.Body, body)
	}
	p.growth.Tried(t)
}

// collection is the path of a kind's objects.
func collection(r *resource.Resource) string {
	path := "/apis/" + r.Group + "/" + r.Version
	if r.Group == "" {
		path = "/api/" + r.Version
	}
	if r.Namespaced {
		path += "/namespaces/a"
	}
	return path + "/" + r.Name
}

var bodyTypes = []string{"application/json", "application/yaml", "application/vnd.kubernetes.protobuf"}

// FuzzBody creates objects of every kind out of any bytes, in every syntax.
func FuzzBody(f *testing.F) {
	p := newTarget(f)
	rows := kinds.Builtin().Rows()
	for i, r := range rows {
		obj := r.New()
		obj.SetName("x")
		obj.GetObjectKind().SetGroupVersionKind(r.GroupVersionKind())
		f.Add(uint8(i), uint8(0), []byte(`{"apiVersion":"`+r.GroupVersionKind().GroupVersion().String()+`","kind":"`+r.Kind+`","metadata":{"name":"x"},"spec":{}}`))
		if m, ok := obj.(interface{ Marshal() ([]byte, error) }); ok {
			raw, err := m.Marshal()
			if err != nil {
				f.Fatal(err)
			}
			version, kind := r.GroupVersionKind().ToAPIVersionAndKind()
			envelope, err := (&k8sruntime.Unknown{TypeMeta: k8sruntime.TypeMeta{APIVersion: version, Kind: kind}, Raw: raw}).Marshal()
			if err != nil {
				f.Fatal(err)
			}
			f.Add(uint8(i), uint8(2), append([]byte("k8s\x00"), envelope...))
		}
	}
	f.Add(uint8(0), uint8(1), []byte("a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n"))
	f.Add(uint8(0), uint8(0), []byte(strings.Repeat(`{"a":`, 20000)))
	f.Fuzz(func(t *testing.T, kind, syntax uint8, body []byte) {
		p.send(t, http.MethodPost, collection(rows[int(kind)%len(rows)]), "dryRun=All", map[string]string{"Content-Type": bodyTypes[int(syntax)%len(bodyTypes)]}, string(body))
	})
}

var patchTypes = []string{"application/json-patch+json", "application/merge-patch+json", strategic, "application/apply-patch+yaml"}

// FuzzPatch changes stored objects with patches of all types.
func FuzzPatch(f *testing.F) {
	p := newTarget(f)
	for i, body := range []string{`[{"op":"add","path":"/metadata/labels/x","value":"y"},{"op":"test","path":"/kind","value":"Pod"},{"op":"move","from":"/spec","path":"/status"}]`,
		`{"metadata":{"labels":{"a":null}},"spec":{"containers":[]}}`,
		`{"spec":{"containers":[{"name":"c","$patch":"delete"},{"$patch":"replace"}],"$setElementOrder/containers":[{"name":"c"}],"$retainKeys":["x"]}}`,
		"apiVersion: v1\nkind: Pod\nmetadata: {name: b}\nspec: {containers: [{name: c, image: j}]}\n"} {
		for pod := range 2 {
			f.Add(uint8(i), pod == 1, []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, pod bool, body []byte) {
		path := "/api/v1/namespaces/a/configmaps/b"
		if pod {
			path = "/api/v1/namespaces/a/pods/b"
		}
		p.send(t, http.MethodPatch, path, "dryRun=All&fieldManager=m", map[string]string{"Content-Type": patchTypes[int(kind)%len(patchTypes)]}, string(body))
	})
}

// FuzzSelectors lists with any selectors and options.
func FuzzSelectors(f *testing.F) {
	p := newTarget(f)
	f.Add("a=b,c!=d,e in (f,g),!h,i notin (j)", "metadata.name=b,status.phase!=Running", "limit=1&resourceVersion=0&resourceVersionMatch=NotOlderThan")
	f.Add("x>1,y<2", "spec.nodeName=", "continue=eyJydiI6MX0&limit=-1")
	f.Fuzz(func(t *testing.T, labels, fields, query string) {
		if strings.Contains(query, "watch") || strings.Contains(query, "resourceVersion=") {
			return // waits for what does not come
		}
		all := query + "&" + url.Values{"labelSelector": {labels}, "fieldSelector": {fields}}.Encode()
		p.send(t, http.MethodGet, "/api/v1/namespaces/a/pods", all, nil, "")
		p.send(t, http.MethodDelete, "/api/v1/pods", all+"&dryRun=All", nil, "")
	})
}

// FuzzNegotiate asks for any form of an object, a list, and what there is.
func FuzzNegotiate(f *testing.F) {
	p := newTarget(f)
	for _, accept := range []string{"application/json;as=Table;v=v1;g=meta.k8s.io,application/json", "application/vnd.kubernetes.protobuf;q=0.5,*/*", "application/yaml;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
		"application/json;stream=watch", "text/html;level=1", "application/cbor"} {
		f.Add(accept, "gzip", "application/json")
	}
	p.do("GET /openapi/v2") // is made on first demand, which takes longer than an input may
	f.Fuzz(func(t *testing.T, accept, encoding, content string) {
		header := map[string]string{"Accept": accept, "Accept-Encoding": encoding, "Content-Type": content}
		for _, path := range []string{"/api/v1/namespaces/a/pods/b", "/api/v1/pods", "/apis", "/openapi/v2"} {
			p.send(t, http.MethodGet, path, "", header, "")
		}
		p.send(t, http.MethodPost, "/api/v1/namespaces/a/configmaps", "dryRun=All", header, `{"metadata":{"name":"x"}}`)
	})
}
