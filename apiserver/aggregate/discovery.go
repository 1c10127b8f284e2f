package aggregate

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/version"

	"proa/apiserver/discovery"
	"proa/apiserver/encode"
	"proa/kinds/apiregistration"
)

// Local answers discovery for what the API server serves itself.
type Local = func(http.ResponseWriter, *http.Request) bool

// Discovery adds to the documents that list groups those that Services serve.
func (a *Aggregator) Discovery(local Local) Local {
	return func(w http.ResponseWriter, r *http.Request) bool {
		all := a.routes.Load()
		if len(all.byVersion) == 0 {
			return local(w, r)
		}
		switch path := strings.TrimSuffix(r.URL.Path, "/"); {
		case path == "/apis":
			return a.serveGroups(w, r, local, all)
		case path == schemaPrefix:
			return a.serveSchemas(w, r, local, all)
		case path == swaggerPath:
			return a.serveSwagger(w, r, local, all)
		case strings.Count(path, "/") == 2 && all.serves(strings.TrimPrefix(path, "/apis/")):
			return a.serveGroup(w, r, local, all)
		}
		return local(w, r)
	}
}

func (all *routes) serves(group string) bool {
	for v := range all.byVersion {
		if v.Group == group {
			return true
		}
	}
	return false
}

// priority is the place of a version, whoever serves it.
func (all *routes) priority(gv schema.GroupVersion) apiregistration.Priority {
	if r := all.byVersion[gv]; r != nil {
		return r.priority
	}
	return apiregistration.PriorityOf(gv)
}

// serveGroups lists all groups, in the form that the client asks for.
func (a *Aggregator) serveGroups(w http.ResponseWriter, r *http.Request, local Local, all *routes) bool {
	answer := ask(local, r, r.Header.Get("Accept"))
	if answer.code == http.StatusOK && strings.Contains(answer.header.Get("Content-Type"), "as=APIGroupDiscoveryList") {
		a.serveResources(w, r, answer, all)
		return true
	}
	groups, err := listed(local, r, all)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return true
	}
	respond(w, r, &metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}, Groups: groups})
	return true
}

// serveGroup shows one group.
func (a *Aggregator) serveGroup(w http.ResponseWriter, r *http.Request, local Local, all *routes) bool {
	whole := r.Clone(r.Context())
	whole.URL.Path = "/apis"
	groups, err := listed(local, whole, all)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return true
	}
	name := strings.TrimPrefix(strings.TrimSuffix(r.URL.Path, "/"), "/apis/")
	i := slices.IndexFunc(groups, func(g metav1.APIGroup) bool { return g.Name == name })
	if i < 0 {
		return false
	}
	groups[i].TypeMeta = metav1.TypeMeta{Kind: "APIGroup", APIVersion: "v1"}
	respond(w, r, &groups[i])
	return true
}

func respond(w http.ResponseWriter, r *http.Request, obj runtime.Object) {
	accept, err := encode.Negotiate(r, encode.Binary)
	responder := encode.Responder{Accept: accept, Request: r}
	if err != nil {
		responder.Error(w, err)
		return
	}
	_ = responder.Body(w, http.StatusOK, obj) // the client is gone if this fails
}

// listed is every group, those of the API server and those of Services, in the order of priorities.
func listed(local Local, r *http.Request, all *routes) ([]metav1.APIGroup, error) {
	var list metav1.APIGroupList
	if err := json.Unmarshal(ask(local, r, "application/json").body.Bytes(), &list); err != nil {
		return nil, fmt.Errorf("list the API server's own groups: %w", err)
	}
	groups := list.Groups
	for gv := range all.byVersion {
		i := slices.IndexFunc(groups, func(g metav1.APIGroup) bool { return g.Name == gv.Group })
		if i < 0 {
			groups, i = append(groups, metav1.APIGroup{Name: gv.Group}), len(groups)
		}
		entry := metav1.GroupVersionForDiscovery{GroupVersion: gv.String(), Version: gv.Version}
		if !slices.Contains(groups[i].Versions, entry) {
			groups[i].Versions = append(groups[i].Versions, entry)
		}
	}
	for i := range groups {
		sortVersions(all, groups[i].Name, groups[i].Versions, func(v metav1.GroupVersionForDiscovery) string { return v.Version })
		groups[i].PreferredVersion = groups[i].Versions[0]
	}
	sortGroups(all, groups, func(g metav1.APIGroup) (string, []string) {
		var versions []string
		for _, v := range g.Versions {
			versions = append(versions, v.Version)
		}
		return g.Name, versions
	})
	return groups, nil
}

// serveResources lists all groups with their resources (KEP-3352).
func (a *Aggregator) serveResources(w http.ResponseWriter, r *http.Request, own *record, all *routes) {
	var list apidiscoveryv2.APIGroupDiscoveryList
	if err := json.Unmarshal(own.body.Bytes(), &list); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	for gv, to := range all.byVersion {
		i := slices.IndexFunc(list.Items, func(g apidiscoveryv2.APIGroupDiscovery) bool { return g.Name == gv.Group })
		if i < 0 {
			list.Items, i = append(list.Items, apidiscoveryv2.APIGroupDiscovery{ObjectMeta: metav1.ObjectMeta{Name: gv.Group}}), len(list.Items)
		}
		g := &list.Items[i]
		g.Versions = slices.DeleteFunc(g.Versions, func(v apidiscoveryv2.APIVersionDiscovery) bool { return v.Version == gv.Version })
		g.Versions = append(g.Versions, a.resources(to))
	}
	for i := range list.Items {
		sortVersions(all, list.Items[i].Name, list.Items[i].Versions, func(v apidiscoveryv2.APIVersionDiscovery) string { return v.Version })
	}
	sortGroups(all, list.Items, func(g apidiscoveryv2.APIGroupDiscovery) (string, []string) {
		var versions []string
		for _, v := range g.Versions {
			versions = append(versions, v.Version)
		}
		return g.Name, versions
	})
	body, err := json.Marshal(list)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	for _, name := range []string{"Content-Type", "Vary", "Cache-Control"} {
		w.Header()[name] = own.header[name]
	}
	etag := fmt.Sprintf(`"%X"`, sha256.Sum256(body))
	w.Header().Set("ETag", etag)
	if r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(body) // the client is gone if this fails
}

// resources is what a Service said last; it is called stale while the Service does not answer.
func (a *Aggregator) resources(to *route) apidiscoveryv2.APIVersionDiscovery {
	known, current := a.known(to)
	out := apidiscoveryv2.APIVersionDiscovery{Version: to.version.Version, Freshness: apidiscoveryv2.DiscoveryFreshnessStale,
		Resources: discovery.Aggregated(to.version, known)}
	if current {
		out.Freshness = apidiscoveryv2.DiscoveryFreshnessCurrent
	}
	return out
}

// sortVersions puts the version that clients shall use first.
func sortVersions[T any](all *routes, group string, versions []T, name func(T) string) {
	rank := func(v T) int32 { return all.priority(schema.GroupVersion{Group: group, Version: name(v)}).Version }
	slices.SortStableFunc(versions, func(a, b T) int {
		return cmp.Or(cmp.Compare(rank(b), rank(a)), version.CompareKubeAwareVersionStrings(name(b), name(a)))
	})
}

// sortGroups orders groups by the highest priority of their versions, and then by name.
func sortGroups[T any](all *routes, groups []T, names func(T) (string, []string)) {
	rank := func(g T) (highest int32) {
		name, versions := names(g)
		for _, v := range versions {
			highest = max(highest, all.priority(schema.GroupVersion{Group: name, Version: v}).Group)
		}
		return highest
	}
	slices.SortStableFunc(groups, func(a, b T) int {
		first, _ := names(a)
		second, _ := names(b)
		return cmp.Or(cmp.Compare(rank(b), rank(a)), strings.Compare(first, second))
	})
}
