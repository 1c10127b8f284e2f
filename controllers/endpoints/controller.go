// Package endpoints lists the pods behind each Service in the Endpoints of its name, for those who do not read
// EndpointSlices yet.
//
// It decides which addresses are ready; it owns the Endpoints of services with a selector; the controller host calls it.
// When Endpoints cannot be written the events say so, and it is tried again; what is written stays in force meanwhile.
package endpoints

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/reconcile"
	"proa/reconcile/backend"
)

const table = "endpoints"

// leaderAnnotation marks Endpoints that serve as a lock and belong to no service.
const leaderAnnotation = "control-plane.alpha.kubernetes.io/leader"

// New makes the controller.
func New() reconcile.Controller {
	return reconcile.Controller{
		Name:     "endpoints",
		Identity: "system:serviceaccount:kube-system:endpoint-controller",
		Reads: []reconcile.Read{
			{Table: "services", Keys: reconcile.Self},
			{Table: "pods", Keys: backend.KeysOfPod},
			{Table: table, Keys: reconcile.Self},
		},
		Writes:    []string{"endpoints(of a Service with a selector)"},
		Deletes:   []string{table},
		Reconcile: run,
		Workers:   5,
	}
}

func run(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	current, exists := client.Get[*corev1.Endpoints](req.View, table, req.Namespace, req.Name)
	service, ok := client.Get[*corev1.Service](req.View, "services", req.Namespace, req.Name)
	switch {
	case !ok && exists && ours(current):
		return reconcile.Result{}, remove(ctx, req.Client, current)
	case !ok, len(service.Spec.Selector) == 0, service.Spec.Type == corev1.ServiceTypeExternalName:
		return reconcile.Result{}, nil
	}
	var pods []*corev1.Pod
	for pod := range client.List[*corev1.Pod](req.View, "pods", service.Namespace) {
		if backend.Selects(service, pod) {
			pods = append(pods, pod)
		}
	}
	next, changed := decide(service, pods, current)
	if !changed {
		return reconcile.Result{}, nil
	}
	return reconcile.Result{}, write(ctx, req, next, exists)
}

// ours says whether this controller made the Endpoints: only those go with their service.
func ours(endpoints *corev1.Endpoints) bool {
	_, lock := endpoints.Annotations[leaderAnnotation]
	return !lock && endpoints.Labels[managedBy] == manager
}

func remove(ctx context.Context, c client.Client, endpoints *corev1.Endpoints) error {
	opts := metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(endpoints.UID))}
	if err := c.Delete(ctx, client.RefOf(table, endpoints), opts); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete endpoints: %w", err)
	}
	return nil
}

func write(ctx context.Context, req reconcile.Request, next *corev1.Endpoints, exists bool) error {
	var err error
	reason, verb := "FailedToCreateEndpoint", "create"
	if exists {
		reason, verb = "FailedToUpdateEndpoint", "update"
		_, err = req.Client.Update(ctx, client.RefOf(table, next), "", next, metav1.UpdateOptions{})
	} else {
		_, err = req.Client.Create(ctx, client.RefOf(table, next), "", next, metav1.CreateOptions{})
	}
	switch {
	case err == nil, apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return nil
	case apierrors.IsConflict(err):
		return err
	}
	req.Events.Eventf(next, corev1.EventTypeWarning, reason, "Failed to %s endpoint %v/%v: %v", verb, next.Namespace, next.Name, err)
	return fmt.Errorf("%s endpoints: %w", verb, err)
}
