// Package endpointslicemirroring copies Endpoints that users write by hand into EndpointSlices, which is what the
// service proxy and DNS read.
//
// It decides which slices show the Endpoints of a Service without selector; it owns the slices that its label marks; the
// controller host calls it. When slices cannot be written the events of the Endpoints say so, and it is tried again; what is
// written stays in force meanwhile.
package endpointslicemirroring

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/reconcile"
)

const table = "endpointslices.discovery.k8s.io"

// leaderAnnotation marks Endpoints that serve as a lock and belong to no service.
const leaderAnnotation = "control-plane.alpha.kubernetes.io/leader"

// New makes the controller.
func New() reconcile.Controller {
	return reconcile.Controller{
		Name:     "endpointslicemirroring",
		Identity: "system:serviceaccount:kube-system:endpointslicemirroring-controller",
		Source:   "endpoint-slice-mirroring-controller",
		Reads: []reconcile.Read{
			{Table: "endpoints", Keys: reconcile.Self},
			{Table: "services", Keys: reconcile.Self},
			{Table: table, Keys: keysOfSlice},
		},
		Writes:    []string{"endpointslices.discovery.k8s.io(of a Service without selector)"},
		Deletes:   []string{table},
		Reconcile: run,
		Workers:   5,
	}
}

func ours(slice *discoveryv1.EndpointSlice) bool {
	return slice.Labels[discoveryv1.LabelManagedBy] == manager
}

// keysOfSlice brings up the Endpoints when someone else has changed or deleted their slices.
func keysOfSlice(_ client.View, event client.Event) []reconcile.Key {
	var keys []reconcile.Key
	for _, obj := range []client.Object{event.Object, event.Old} {
		if slice, ok := obj.(*discoveryv1.EndpointSlice); ok && ours(slice) && slice.Labels[discoveryv1.LabelServiceName] != "" {
			keys = append(keys, reconcile.Key{Namespace: slice.Namespace, Name: slice.Labels[discoveryv1.LabelServiceName]})
		}
	}
	return keys
}

func run(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	endpoints := mirrored(req.View, req.Namespace, req.Name)
	var existing []*discoveryv1.EndpointSlice
	for slice := range client.List[*discoveryv1.EndpointSlice](req.View, table, req.Namespace) {
		if ours(slice) && slice.Labels[discoveryv1.LabelServiceName] == req.Name && slice.DeletionTimestamp == nil {
			existing = append(existing, slice)
		}
	}
	p := decide(endpoints, existing)
	if p.skipped > 0 {
		req.Events.Eventf(endpoints, corev1.EventTypeWarning, "TooManyAddressesToMirror",
			"A max of %d addresses can be mirrored to EndpointSlices per Endpoints subset. %d addresses were skipped", maxEndpoints, p.skipped)
	}
	err := apply(ctx, req.Client, req.Key, p)
	if err != nil && endpoints != nil && !apierrors.IsConflict(err) {
		req.Events.Eventf(endpoints, corev1.EventTypeWarning, "FailedToUpdateEndpointSlices",
			"Error updating Endpoint Slices for Endpoints %s/%s: %v", req.Namespace, req.Name, err)
	}
	return reconcile.Result{}, err
}

// mirrored returns the Endpoints of the name, or nil if they are not to be shown in slices: those of a Service with a
// selector have slices of their own.
func mirrored(view client.View, namespace, name string) *corev1.Endpoints {
	endpoints, ok := client.Get[*corev1.Endpoints](view, "endpoints", namespace, name)
	if !ok || endpoints.DeletionTimestamp != nil || endpoints.Labels[discoveryv1.LabelSkipMirror] == "true" {
		return nil
	}
	if _, lock := endpoints.Annotations[leaderAnnotation]; lock {
		return nil
	}
	service, ok := client.Get[*corev1.Service](view, "services", namespace, name)
	if !ok || len(service.Spec.Selector) > 0 {
		return nil
	}
	return endpoints
}

func apply(ctx context.Context, c client.Client, key reconcile.Key, p plan) error {
	for _, slice := range p.create {
		_, err := c.Create(ctx, client.RefOf(table, slice), "", slice, metav1.CreateOptions{})
		if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("failed to create EndpointSlice for Endpoints %s/%s: %w", key.Namespace, key.Name, err)
		}
	}
	for _, slice := range p.update {
		if _, err := c.Update(ctx, client.RefOf(table, slice), "", slice, metav1.UpdateOptions{}); err != nil {
			return fmt.Errorf("failed to update %s EndpointSlice for Endpoints %s/%s: %w", slice.Name, key.Namespace, key.Name, err)
		}
	}
	for _, slice := range p.remove {
		opts := metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(slice.UID))}
		if err := c.Delete(ctx, client.RefOf(table, slice), opts); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("failed to delete %s EndpointSlice for Endpoints %s/%s: %w", slice.Name, key.Namespace, key.Name, err)
		}
	}
	return nil
}
