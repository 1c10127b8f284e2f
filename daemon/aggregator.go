package daemon

import (
	"context"
	"maps"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"

	"proa/apiserver/aggregate"
	"proa/apiserver/auth"
	"proa/apiserver/callout"
	"proa/client"
	"proa/controllers/garbagecollector"
	"proa/controllers/namespace"
	"proa/kinds/apiregistration"
)

// openAggregator makes what passes requests on to aggregated API servers, in the front proxy's name.
func (c *control) openAggregator() error {
	caller, err := callout.New(callout.Config{Source: c.store})
	if err != nil {
		return err
	}
	c.aggregator, err = aggregate.New(aggregate.Config{Source: c.store, Caller: caller,
		ClientCertificate: c.keys.FrontProxyClient().GetClientCertificate})
	return err
}

// emptyElsewhere empties a namespace of what aggregated API servers keep there, as the controller of namespaces.
func (c *control) emptyElsewhere(ctx context.Context, name string) (map[schema.GroupResource][]metav1.PartialObjectMetadata, map[schema.GroupVersion]error, []error) {
	return c.aggregator.Empty(ctx, userOf(namespace.Identity), name)
}

// ownerElsewhere looks up an owner that an aggregated API server keeps, as the garbage collector.
func (c *control) ownerElsewhere(ctx context.Context, owner metav1.OwnerReference, namespace string) (*metav1.PartialObjectMetadata, bool, error) {
	return c.aggregator.Find(ctx, userOf(garbagecollector.Identity), owner, namespace)
}

// userOf is a controller as the API knows it.
func userOf(identity string) auth.User {
	return auth.User{Name: identity, Groups: append(groupsOf(identity), auth.GroupAuthenticated)}
}

// bootstrapVersions registers the versions that the API server serves itself. What users made of one of them stays.
func (c *control) bootstrapVersions(ctx context.Context, api client.Client) error {
	const table = "apiservices.apiregistration.k8s.io"
	own := apiregistration.OwnVersions(c.kinds.Rows())
	objects := make([]client.Object, 0, len(own))
	for _, gv := range own {
		objects = append(objects, apiregistration.Own(gv))
	}
	if err := ensureAll(ctx, api, table, objects...); err != nil {
		return err
	}
	for _, obj := range objects { // of an earlier release of the program
		err := replace(ctx, api, table, obj, func(stored, wanted client.Object) bool {
			was, is := stored.(*apiregistrationv1.APIService), wanted.(*apiregistrationv1.APIService)
			return was.Spec.Service != nil || !maps.Equal(was.Labels, is.Labels) ||
				was.Spec.GroupPriorityMinimum == is.Spec.GroupPriorityMinimum && was.Spec.VersionPriority == is.Spec.VersionPriority
		})
		if err != nil {
			return err
		}
	}
	return nil
}
