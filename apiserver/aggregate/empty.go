package aggregate

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/version"

	"proa/apiserver/auth"
)

const (
	emptyTimeout = 30 * time.Second // of one request of those that empty a namespace
	emptyPage    = "limit=500"      // objects that are looked at of each resource; the next round sees what comes behind them
)

// Empty deletes what aggregated servers keep in a namespace, in the name of a user, and returns what is left there of each
// resource. unknown are the versions that do not tell now what they serve: nobody knows what they keep.
func (a *Aggregator) Empty(ctx context.Context, user auth.User, namespace string) (left map[schema.GroupResource][]metav1.PartialObjectMetadata, unknown map[schema.GroupVersion]error, failures []error) {
	all := a.routes.Load()
	if len(all.byVersion) == 0 {
		return nil, nil, nil
	}
	left, unknown = map[schema.GroupResource][]metav1.PartialObjectMetadata{}, map[schema.GroupVersion]error{}
	for _, to := range all.inOrder() {
		resources, current := a.known(to)
		if !current {
			unknown[to.version] = fmt.Errorf("stale GroupVersion discovery: %v", to.version)
			continue
		}
		for _, r := range resources {
			id := schema.GroupResource{Group: to.version.Group, Resource: r.Name}
			if _, seen := left[id]; seen || !r.Namespaced || !slices.Contains(r.Verbs, "list") || !slices.Contains(r.Verbs, "delete") {
				continue // another version of the group is asked, or it holds nothing that could be deleted
			}
			remaining, err := a.emptyOf(ctx, to, user, fmt.Sprintf("/apis/%s/namespaces/%s/%s", to.version, namespace, r.Name))
			if err != nil {
				failures = append(failures, fmt.Errorf("empty %s of %s: %w", namespace, id, err))
			}
			left[id] = remaining
		}
	}
	return left, unknown, failures
}

// emptyOf deletes the objects at a path one by one, since not every server deletes them all at once, and lists what remains.
func (a *Aggregator) emptyOf(ctx context.Context, to *route, user auth.User, path string) ([]metav1.PartialObjectMetadata, error) {
	ask := func(method, at, query string, into any) error {
		ctx, cancel := context.WithTimeout(ctx, emptyTimeout)
		defer cancel()
		return a.ask(ctx, to, question{method, at, query, user}, into)
	}
	var before, after metav1.PartialObjectMetadataList
	err := ask(http.MethodGet, path, emptyPage, &before)
	if isStatus(err, http.StatusNotFound) || isStatus(err, http.StatusMethodNotAllowed) {
		return nil, nil // what it said that it serves, it does not serve like this
	}
	if err != nil || len(before.Items) == 0 {
		return nil, err
	}
	for i := range before.Items {
		if before.Items[i].DeletionTimestamp != nil {
			continue
		}
		err := ask(http.MethodDelete, path+"/"+before.Items[i].Name, "propagationPolicy=Background", &metav1.PartialObjectMetadata{})
		if err != nil && !isStatus(err, http.StatusNotFound) {
			return before.Items, err
		}
	}
	err = ask(http.MethodGet, path, emptyPage, &after)
	return after.Items, err
}

// inOrder are the routes, the version that a group prefers first.
func (all *routes) inOrder() []*route {
	return slices.SortedFunc(maps.Values(all.byVersion), func(a, b *route) int {
		return cmp.Or(cmp.Compare(b.priority.Version, a.priority.Version),
			version.CompareKubeAwareVersionStrings(b.version.Version, a.version.Version), strings.Compare(a.name, b.name))
	})
}

// known is what a version last said that it serves; current says whether it would still say so.
func (a *Aggregator) known(to *route) (resources []metav1.APIResource, current bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	resources, said := a.mu.resources[to.version]
	return resources, said && to.available
}
