package aggregate

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"k8s.io/apimachinery/pkg/api/validation/path"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"proa/apiserver/auth"
)

// Find reads the object that a reference names, in the name of a user: nil if it is not there. It is looked for in the namespace
// unless its kind has none. known is false when no aggregated server says now that it serves the kind.
func (a *Aggregator) Find(ctx context.Context, user auth.User, reference metav1.OwnerReference, namespace string) (found *metav1.PartialObjectMetadata, known bool, err error) {
	version, err := schema.ParseGroupVersion(reference.APIVersion)
	to := a.routes.Load().byVersion[version]
	if err != nil || to == nil || len(path.IsValidPathSegmentName(reference.Name)) > 0 {
		return nil, false, nil // whoever wrote the reference must not choose what else is asked for
	}
	resources, current := a.known(to)
	if !current {
		return nil, false, nil
	}
	for _, r := range resources {
		if r.Kind != reference.Kind || strings.Contains(r.Name, "/") || r.Namespaced && namespace == "" {
			continue
		}
		at := fmt.Sprintf("/apis/%s/%s/%s", version, r.Name, reference.Name)
		if r.Namespaced {
			at = fmt.Sprintf("/apis/%s/namespaces/%s/%s/%s", version, namespace, r.Name, reference.Name)
		}
		ctx, cancel := context.WithTimeout(ctx, checkTimeout)
		defer cancel()
		found = &metav1.PartialObjectMetadata{}
		if err := a.ask(ctx, to, question{method: http.MethodGet, path: at, user: user}, found); isStatus(err, http.StatusNotFound) {
			return nil, true, nil
		} else if err != nil {
			return nil, true, err
		}
		return found, true, nil
	}
	return nil, false, nil
}
