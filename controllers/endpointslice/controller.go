// Package endpointslice lists the pods behind each Service in EndpointSlices.
//
// It decides which pods are endpoints, in what condition, and in which slice; it owns the slices that its label marks;
// the controller host calls it. When slices cannot be written the service's events say so, and it is tried again; what is
// written stays in force meanwhile.
package endpointslice

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/reconcile"
	"proa/reconcile/backend"
)

const table = "endpointslices.discovery.k8s.io"

// New makes the controller.
func New() reconcile.Controller {
	return reconcile.Controller{
		Name:     "endpointslice",
		Identity: "system:serviceaccount:kube-system:endpointslice-controller",
		Source:   "endpoint-slice-controller",
		Reads: []reconcile.Read{
			{Table: "services", Keys: reconcile.Self},
			{Table: "pods", Keys: backend.KeysOfPod},
			{Table: table, Keys: keysOfSlice},
			{Table: "nodes", Keys: keysOfNode},
		},
		Writes:    []string{"endpointslices.discovery.k8s.io(of a Service with a selector)"},
		Deletes:   []string{table},
		Reconcile: run,
		Workers:   5,
	}
}

func ours(slice *discoveryv1.EndpointSlice) bool {
	return slice.Labels[discoveryv1.LabelManagedBy] == manager
}

// keysOfSlice brings up the service when someone else has changed or deleted its slices, or moved one to another service.
func keysOfSlice(_ client.View, event client.Event) []reconcile.Key {
	var keys []reconcile.Key
	for _, obj := range []client.Object{event.Object, event.Old} {
		if slice, ok := obj.(*discoveryv1.EndpointSlice); ok && ours(slice) && slice.Labels[discoveryv1.LabelServiceName] != "" {
			keys = append(keys, reconcile.Key{Namespace: slice.Namespace, Name: slice.Labels[discoveryv1.LabelServiceName]})
		}
	}
	return keys
}

// keysOfNode brings up the services of the pods of a node that is gone or has moved to another zone. A new node has no pods;
// if it comes later than its pods, their services are tried again until it is there. Services whose endpoints are shared out
// by processors are brought up when there are more or fewer of them.
func keysOfNode(view client.View, event client.Event) []reconcile.Key {
	moved := event.Old != nil && event.Old.GetLabels()[corev1.LabelTopologyZone] != event.Object.GetLabels()[corev1.LabelTopologyZone]
	var keys []reconcile.Key
	if moved || resizes(event) {
		for service := range client.List[*corev1.Service](view, "services", "") {
			if balanced(service) {
				keys = append(keys, reconcile.KeyOf(service))
			}
		}
	}
	if event.Type != client.Deleted && !moved {
		return keys
	}
	for pod := range client.List[*corev1.Pod](view, "pods", "") {
		if pod.Spec.NodeName == event.Object.GetName() {
			keys = append(keys, backend.KeysOfPod(view, client.Event{Type: client.Created, Object: pod})...)
		}
	}
	return keys
}

// resizes says whether a node's event changes what zones have of processors.
func resizes(event client.Event) bool {
	node, _ := event.Object.(*corev1.Node)
	old, _ := event.Old.(*corev1.Node)
	return event.Type != client.Updated || old == nil || node == nil || ready(old) != ready(node) ||
		!old.Status.Allocatable.Cpu().Equal(*node.Status.Allocatable.Cpu())
}

func run(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	service, ok := client.Get[*corev1.Service](req.View, "services", req.Namespace, req.Name)
	// A service without selector has its endpoints from elsewhere; those of a deleted one go with it, by their owner.
	if !ok || service.DeletionTimestamp != nil || len(service.Spec.Selector) == 0 || service.Spec.Type == corev1.ServiceTypeExternalName {
		return reconcile.Result{}, nil
	}
	p := decide(observe(req.View, service))
	err := apply(ctx, req.Client, p)
	for _, e := range p.events {
		req.Events.Eventf(service, e.eventType, e.reason, "%s", e.message)
	}
	for _, pod := range p.lost {
		err = errors.Join(err, fmt.Errorf("skipping Pod %s for Service %s/%s: Node %s Not Found",
			pod.Name, service.Namespace, service.Name, pod.Spec.NodeName))
	}
	if err != nil && !apierrors.IsConflict(err) && !apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		req.Events.Eventf(service, corev1.EventTypeWarning, "FailedToUpdateEndpointSlices",
			"Error updating Endpoint Slices for Service %s/%s: %v", service.Namespace, service.Name, err)
	}
	return reconcile.Result{}, err
}

func observe(view client.View, service *corev1.Service) snapshot {
	s := snapshot{service: service}
	for pod := range client.List[*corev1.Pod](view, "pods", service.Namespace) {
		if backend.Selects(service, pod) {
			s.pods = append(s.pods, pod)
		}
	}
	for slice := range client.List[*discoveryv1.EndpointSlice](view, table, service.Namespace) {
		if ours(slice) && slice.Labels[discoveryv1.LabelServiceName] == service.Name && slice.DeletionTimestamp == nil {
			s.slices = append(s.slices, slice)
		}
	}
	s.zone = func(name string) (string, bool) {
		node, ok := client.Get[*corev1.Node](view, "nodes", "", name)
		if !ok {
			return "", false
		}
		return node.Labels[corev1.LabelTopologyZone], true
	}
	s.capacity = func() map[string]int64 { return capacity(client.List[*corev1.Node](view, "nodes", "")) }
	return s
}

// apply writes new slices first and deletes last: an endpoint that moves is listed twice for a moment rather than not at all.
func apply(ctx context.Context, c client.Client, p plan) error {
	for _, slice := range p.create {
		if _, err := c.Create(ctx, client.RefOf(table, slice), "", slice, metav1.CreateOptions{}); err != nil {
			if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
				return nil
			}
			return fmt.Errorf("failed to create EndpointSlice for Service %s/%s: %w",
				slice.Namespace, slice.Labels[discoveryv1.LabelServiceName], err)
		}
	}
	for _, slice := range p.update {
		if _, err := c.Update(ctx, client.RefOf(table, slice), "", slice, metav1.UpdateOptions{}); err != nil {
			return fmt.Errorf("failed to update %s EndpointSlice for Service %s/%s: %w",
				slice.Name, slice.Namespace, slice.Labels[discoveryv1.LabelServiceName], err)
		}
	}
	for _, slice := range p.remove {
		opts := metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(slice.UID))}
		if err := c.Delete(ctx, client.RefOf(table, slice), opts); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("failed to delete %s EndpointSlice for Service %s/%s: %w",
				slice.Name, slice.Namespace, slice.Labels[discoveryv1.LabelServiceName], err)
		}
	}
	return nil
}
