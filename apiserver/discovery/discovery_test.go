package discovery_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/openapi3"
	"k8s.io/client-go/rest"

	apiserver "proa/apiserver/discovery"
	"proa/kinds"
)

func serve(t *testing.T) *httptest.Server {
	t.Helper()
	h := apiserver.New(apiserver.Config{Kinds: kinds.Builtin(), Scheme: kinds.NewScheme(), Version: apiserver.VersionInfo("abc", "2026-01-01T00:00:00Z")})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !h.Serve(w, r) {
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

func client(t *testing.T) (*discovery.DiscoveryClient, *httptest.Server) {
	t.Helper()
	server := serve(t)
	c, err := discovery.NewDiscoveryClientForConfig(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	return c, server
}

func get(t *testing.T, url, accept string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", accept)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

// Both forms of discovery tell the same, for every row of the table.
func TestPlainAndAggregatedAgree(t *testing.T) {
	c, _ := client(t)
	_, aggregated, err := c.ServerGroupsAndResources()
	if err != nil {
		t.Fatal(err)
	}
	plain, err := discovery.NewDiscoveryClientForConfig(&rest.Config{Host: serve(t).URL})
	if err != nil {
		t.Fatal(err)
	}
	plain.UseLegacyDiscovery = true
	_, legacy, err := plain.ServerGroupsAndResources()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, list := range legacy {
		for _, r := range list.APIResources {
			r.Group, r.Version, r.StorageVersionHash = "", "", "" // the aggregated form names the first two on every entry, and not the last
			b, _ := json.Marshal(r)
			seen[list.GroupVersion+"/"+r.Name] = string(b)
		}
	}
	count := 0
	for _, list := range aggregated {
		for _, r := range list.APIResources {
			count++
			r.Group, r.Version = "", ""
			if strings.Contains(r.Name, "/") {
				r.SingularName = "" // the client fills in the parent's
			}
			b, _ := json.Marshal(r)
			if got := seen[list.GroupVersion+"/"+r.Name]; got != string(b) {
				t.Errorf("%s/%s\nplain      %s\naggregated %s", list.GroupVersion, r.Name, got, b)
			}
		}
	}
	// A resource that is only written to has no list of its own in the aggregated form either way; all else is in both.
	if count != len(seen) || count < len(kinds.Builtin().Rows()) {
		t.Errorf("aggregated lists %d resources, plain %d", count, len(seen))
	}
	for _, name := range []string{"v1/pods", "v1/pods/exec", "v1/pods/log", "v1/serviceaccounts/token", "apps/v1/deployments", "events.k8s.io/v1/events"} {
		if seen[name] == "" {
			t.Errorf("%s is missing", name)
		}
	}
}

func TestAggregatedNegotiation(t *testing.T) {
	url := serve(t).URL
	v2 := "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
	beta := "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"
	for _, c := range []struct{ accept, kind, apiVersion string }{
		{v2 + "," + beta + ",application/json", "APIGroupDiscoveryList", "apidiscovery.k8s.io/v2"},
		{beta + ",application/json", "APIGroupDiscoveryList", "apidiscovery.k8s.io/v2beta1"},
		{"application/json," + v2 + ";q=0.5", "APIGroupList", "v1"},
		{"*/*", "APIGroupList", "v1"},
		{"application/json;g=apidiscovery.k8s.io;v=v9;as=APIGroupDiscoveryList,application/json", "APIGroupList", "v1"},
	} {
		response, body := get(t, url+"/apis", c.accept)
		var got struct{ Kind, APIVersion string }
		if err := json.Unmarshal([]byte(body), &got); err != nil || got.Kind != c.kind || got.APIVersion != c.apiVersion {
			t.Errorf("Accept %s: %+v, %v", c.accept, got, err)
		}
		etag := response.Header.Get("ETag")
		if (etag != "") != (c.kind == "APIGroupDiscoveryList") {
			t.Errorf("Accept %s: ETag %q", c.accept, etag)
		}
		if etag != "" {
			if again, _ := get(t, url+"/apis", c.accept, "If-None-Match", etag); again.StatusCode != http.StatusNotModified {
				t.Errorf("Accept %s: status %d for an unchanged document", c.accept, again.StatusCode)
			}
		}
	}
}

func TestUnknownGroupsAreNotServed(t *testing.T) {
	url := serve(t).URL
	for _, path := range []string{"/api/v2", "/apis/nope", "/apis/apps/v9", "/apis/apps/v1/deployments", "/openapi/v3/apis/nope/v1", "/apisx", "/openapi", "/"} {
		if response, _ := get(t, url+path, "application/json"); response.StatusCode != http.StatusNotFound {
			t.Errorf("%s: status %d", path, response.StatusCode)
		}
	}
}

func TestVersion(t *testing.T) {
	c, _ := client(t)
	v, err := c.ServerVersion()
	if err != nil || v.Major != "1" || v.Minor != "36" || !strings.HasPrefix(v.GitVersion, "v1.36.3") {
		t.Errorf("%+v %v", v, err)
	}
}

func TestOpenAPI2(t *testing.T) {
	c, _ := client(t)
	doc, err := c.OpenAPISchema() // protobuf, as kubectl asks
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, d := range doc.GetDefinitions().GetAdditionalProperties() {
		names[d.GetName()] = true
	}
	for _, want := range []string{"io.k8s.api.core.v1.Pod", "io.k8s.api.apps.v1.DeploymentSpec", "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"} {
		if !names[want] {
			t.Errorf("no definition of %s", want)
		}
	}
}

// What server-side and client-side merging need to know about lists is in the schema.
func TestOpenAPI3SaysHowListsMerge(t *testing.T) {
	c, _ := client(t)
	doc, err := openapi3.NewRoot(c.OpenAPIV3()).GVSpec(schema.GroupVersion{Version: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	ports := doc.Components.Schemas["io.k8s.api.core.v1.Container"].Properties["ports"]
	want := `{"x-kubernetes-list-map-keys":["containerPort","protocol"],"x-kubernetes-list-type":"map","x-kubernetes-patch-merge-key":"containerPort","x-kubernetes-patch-strategy":"merge"}`
	if got, _ := json.Marshal(ports.Extensions); string(got) != want {
		t.Errorf("ports: %s\nwant   %s", got, want)
	}
	protocol := doc.Components.Schemas["io.k8s.api.core.v1.ContainerPort"].Properties["protocol"]
	if protocol.Default != "TCP" {
		t.Errorf("protocol defaults to %v", protocol.Default)
	}
	if selector := doc.Components.Schemas["io.k8s.api.core.v1.NodeSelector"]; selector.Extensions["x-kubernetes-map-type"] != "atomic" {
		t.Errorf("NodeSelector: %v", selector.Extensions)
	}
	patch := doc.Paths.Paths["/api/v1/namespaces/{namespace}/pods/{name}"].Patch
	if patch == nil || patch.RequestBody.Content["application/strategic-merge-patch+json"] == nil {
		t.Error("pods cannot be patched with a strategic merge")
	}
	if gvks := doc.Components.Schemas["io.k8s.api.core.v1.Pod"].Extensions["x-kubernetes-group-version-kind"]; gvks == nil {
		t.Error("Pod does not say which kind it is")
	}
}

// Every reference in every document leads somewhere.
func TestReferencesResolve(t *testing.T) {
	c, _ := client(t)
	root := openapi3.NewRoot(c.OpenAPIV3())
	gvs, err := root.GroupVersions()
	if err != nil || len(gvs) < 8 {
		t.Fatalf("%d group versions, %v", len(gvs), err)
	}
	for _, gv := range gvs {
		raw, err := root.GVSpecAsMap(gv)
		if err != nil {
			t.Fatal(err)
		}
		schemas := raw["components"].(map[string]any)["schemas"].(map[string]any)
		var walk func(any)
		walk = func(v any) {
			switch v := v.(type) {
			case map[string]any:
				if ref, ok := v["$ref"].(string); ok && schemas[strings.TrimPrefix(ref, "#/components/schemas/")] == nil {
					t.Errorf("%s: %s leads nowhere", gv, ref)
				}
				for _, child := range v {
					walk(child)
				}
			case []any:
				for _, child := range v {
					walk(child)
				}
			}
		}
		walk(raw)
	}
}

func TestOpenAPI3Caching(t *testing.T) {
	url := serve(t).URL
	_, body := get(t, url+"/openapi/v3", "application/json")
	var index struct {
		Paths map[string]struct{ ServerRelativeURL string }
	}
	if err := json.Unmarshal([]byte(body), &index); err != nil {
		t.Fatal(err)
	}
	apps := index.Paths["apis/apps/v1"].ServerRelativeURL
	response, body := get(t, url+apps, "application/json")
	if response.StatusCode != http.StatusOK || !strings.Contains(response.Header.Get("Cache-Control"), "immutable") {
		t.Errorf("%s: %d %v", apps, response.StatusCode, response.Header)
	}
	var doc struct{ OpenAPI string }
	if err := json.Unmarshal([]byte(body), &doc); err != nil || doc.OpenAPI != "3.0.0" {
		t.Errorf("openapi %q, %v", doc.OpenAPI, err)
	}
	stale, _ := get(t, url+"/openapi/v3/apis/apps/v1?hash=OLD", "application/json")
	if stale.StatusCode != http.StatusMovedPermanently || stale.Header.Get("Location") != apps {
		t.Errorf("stale hash: %d to %s", stale.StatusCode, stale.Header.Get("Location"))
	}
	if binary, _ := get(t, url+apps, "application/com.github.proto-openapi.spec.v3@v1.0+protobuf"); binary.StatusCode != http.StatusOK {
		t.Errorf("protobuf: status %d", binary.StatusCode)
	}
	if html, _ := get(t, url+apps, "text/html"); html.StatusCode != http.StatusNotAcceptable {
		t.Errorf("html: status %d", html.StatusCode)
	}
}
