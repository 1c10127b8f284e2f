package discovery

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/munnerz/goautoneg"
	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// document is a rendered answer with the tag by which a client can ask whether it is still the same.
type document struct {
	body []byte
	etag string
}

func newDocument(body []byte) document {
	sum := sha256.Sum256(body)
	return document{body, `"` + strings.ToUpper(hex.EncodeToString(sum[:])) + `"`}
}

// serveAggregated answers all resources of all groups at once (KEP-3352), if that is what the client asks for first.
// v2 and v2beta1 differ in nothing but their name.
func (h *Handler) serveAggregated(w http.ResponseWriter, r *http.Request, core bool) bool {
	w.Header().Add("Vary", "Accept")
	wanted := aggregatedVersion(r.Header.Get("Accept"))
	if wanted == "" {
		return false
	}
	now := h.now()
	now.aggregated.Do(now.aggregate)
	doc := now.aggregated.named
	if core {
		doc = now.aggregated.core
	}
	body := doc.body
	if wanted != "v2" {
		body = []byte(strings.Replace(string(body), `"apidiscovery.k8s.io/v2"`, `"apidiscovery.k8s.io/`+wanted+`"`, 1))
	}
	etag := strings.TrimSuffix(doc.etag, `"`) + `-` + wanted + `"`
	w.Header().Set("ETag", etag)
	w.Header().Set("Cache-Control", "public")
	if r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return true
	}
	w.Header().Set("Content-Type", "application/json;g=apidiscovery.k8s.io;v="+wanted+";as=APIGroupDiscoveryList")
	_, _ = w.Write(body) // the client is gone if this fails
	return true
}

// aggregatedVersion is "v2" or "v2beta1" when the client prefers it to the plain form, or "".
func aggregatedVersion(accept string) string {
	for _, clause := range goautoneg.ParseAccept(accept) {
		if clause.Type != "application" && clause.Type != "*" || clause.SubType != "json" && clause.SubType != "*" {
			continue
		}
		if clause.Params["as"] == "" {
			return "" // the plain form, which is always acceptable
		}
		version := clause.Params["v"]
		if clause.Params["g"] == "apidiscovery.k8s.io" && clause.Params["as"] == "APIGroupDiscoveryList" && (version == "v2" || version == "v2beta1") {
			return version
		}
	}
	return ""
}

func (s *served) aggregate() {
	var core, named []apidiscoveryv2.APIGroupDiscovery
	for i := range s.groups {
		g := &s.groups[i]
		out := apidiscoveryv2.APIGroupDiscovery{ObjectMeta: metav1.ObjectMeta{Name: g.name}}
		for j := range g.versions {
			out.Versions = append(out.Versions, apidiscoveryv2.APIVersionDiscovery{
				Version: g.versions[j].name, Freshness: apidiscoveryv2.DiscoveryFreshnessCurrent,
				Resources: Aggregated(schema.GroupVersion{Group: g.name, Version: g.versions[j].name}, g.versions[j].resources),
			})
		}
		if g.name == "" {
			core = append(core, out)
		} else {
			named = append(named, out)
		}
	}
	s.aggregated.core, s.aggregated.named = aggregatedDocument(core), aggregatedDocument(named)
}

func aggregatedDocument(groups []apidiscoveryv2.APIGroupDiscovery) document {
	list := apidiscoveryv2.APIGroupDiscoveryList{
		TypeMeta: metav1.TypeMeta{Kind: "APIGroupDiscoveryList", APIVersion: "apidiscovery.k8s.io/v2"}, Items: groups}
	body, err := json.Marshal(list)
	if err != nil {
		panic("discovery: " + err.Error()) // strings and lists of strings always encode
	}
	return newDocument(body)
}

// Aggregated gives the resources of a version in the form in which all groups are told at once.
func Aggregated(gv schema.GroupVersion, resources []metav1.APIResource) []apidiscoveryv2.APIResourceDiscovery {
	var out []apidiscoveryv2.APIResourceDiscovery
	position := map[string]int{}
	for _, r := range resources {
		if strings.Contains(r.Name, "/") {
			continue
		}
		position[r.Name] = len(out)
		out = append(out, apidiscoveryv2.APIResourceDiscovery{
			Resource: r.Name, ResponseKind: responseKind(gv, r), Scope: scope(r.Namespaced),
			SingularResource: r.SingularName, Verbs: r.Verbs, ShortNames: r.ShortNames, Categories: r.Categories,
		})
	}
	for _, r := range resources {
		parent, sub, ok := strings.Cut(r.Name, "/")
		at, known := position[parent]
		if !ok || !known {
			continue
		}
		out[at].Subresources = append(out[at].Subresources, apidiscoveryv2.APISubresourceDiscovery{
			Subresource: sub, ResponseKind: responseKind(gv, r), Verbs: r.Verbs})
	}
	return out
}

func responseKind(gv schema.GroupVersion, r metav1.APIResource) *metav1.GroupVersionKind {
	if r.Version != "" {
		gv = schema.GroupVersion{Group: r.Group, Version: r.Version}
	}
	return &metav1.GroupVersionKind{Group: gv.Group, Version: gv.Version, Kind: r.Kind}
}

func scope(namespaced bool) apidiscoveryv2.ResourceScope {
	if namespaced {
		return apidiscoveryv2.ScopeNamespace
	}
	return apidiscoveryv2.ScopeCluster
}
