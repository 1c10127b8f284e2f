// Package apiservice says of each APIService whether the Service that it names answers, and registers the versions of custom
// kinds.
//
// It decides the condition Available, which it owns: requests are passed on only while it is true. The controller host calls it
// when the Service or its endpoints change, and it comes back by itself, because a Service may stop to answer with nothing in
// the API that says so. It owns the APIServices that are labelled as managed, one for each version that a definition serves;
// where they are missing, the kinds are served all the same.
package apiservice

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"

	"proa/client"
	"proa/kinds/apiregistration"
	"proa/reconcile"
)

const (
	table         = "apiservices.apiregistration.k8s.io"
	servicesTable = "services"
	slicesTable   = "endpointslices.discovery.k8s.io"
)

const (
	again = 30 * time.Second // between looks at a Service that answers
	soon  = 2 * time.Second  // and at one that does not, though it should
)

// Check asks the Service of an APIService whether it serves the version.
type Check = func(ctx context.Context, s *apiregistrationv1.APIService) error

// New makes the controller.
func New(check Check) reconcile.Controller {
	return reconcile.Controller{
		Name:     "apiservice",
		Identity: "system:serviceaccount:kube-system:apiservice-controller",
		Reads: []reconcile.Read{
			{Table: table, Keys: reconcile.Self},
			{Table: servicesTable, Keys: func(view client.View, event client.Event) []reconcile.Key {
				return namedBy(view, event.Object.GetNamespace(), event.Object.GetName())
			}},
			{Table: slicesTable, Keys: func(view client.View, event client.Event) []reconcile.Key {
				return namedBy(view, event.Object.GetNamespace(), event.Object.GetLabels()[discoveryv1.LabelServiceName])
			}},
		},
		Writes:  []string{table + "/status"},
		Workers: 4, // a Service that does not answer keeps one for seconds
		Reconcile: func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
			return run(ctx, req, check)
		},
	}
}

// namedBy lists the APIServices that name a Service.
func namedBy(view client.View, namespace, name string) []reconcile.Key {
	var keys []reconcile.Key
	for s := range client.List[*apiregistrationv1.APIService](view, table, "") {
		if r := s.Spec.Service; r != nil && r.Namespace == namespace && r.Name == name {
			keys = append(keys, reconcile.KeyOf(s))
		}
	}
	return keys
}

func run(ctx context.Context, req reconcile.Request, check Check) (reconcile.Result, error) {
	s, ok := client.Get[*apiregistrationv1.APIService](req.View, table, "", req.Name)
	if !ok || s.DeletionTimestamp != nil {
		return reconcile.Result{}, nil
	}
	condition, after := apiregistration.Local(metav1.NewTime(req.Now)), time.Duration(0)
	if s.Spec.Service != nil {
		condition, after = look(ctx, req, s, check)
	}
	next := s.DeepCopy()
	if !apiregistration.SetAvailable(next, condition) {
		return reconcile.Result{After: after}, nil
	}
	_, err := req.Client.Update(ctx, client.RefOf(table, next), "status", next, metav1.UpdateOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return reconcile.Result{}, fmt.Errorf("say whether %s is available: %w", s.Name, err)
	}
	return reconcile.Result{After: after}, nil
}

func look(ctx context.Context, req reconcile.Request, s *apiregistrationv1.APIService, check Check) (apiregistrationv1.APIServiceCondition, time.Duration) {
	condition := apiregistrationv1.APIServiceCondition{Type: apiregistrationv1.Available, Status: apiregistrationv1.ConditionTrue,
		LastTransitionTime: metav1.NewTime(req.Now), Reason: "Passed", Message: "all checks passed"}
	if reason, message := missing(s.Spec.Service, behind(req.View, s.Spec.Service)); reason != "" {
		condition.Status, condition.Reason, condition.Message = apiregistrationv1.ConditionFalse, reason, message
		return condition, again
	}
	if err := check(ctx, s); err != nil {
		condition.Status, condition.Reason, condition.Message = apiregistrationv1.ConditionFalse, "FailedDiscoveryCheck", err.Error()
		return condition, soon
	}
	return condition, again
}

func behind(view client.View, ref *apiregistrationv1.ServiceReference) backing {
	var b backing
	b.service, _ = client.Get[*corev1.Service](view, servicesTable, ref.Namespace, ref.Name)
	for slice := range client.List[*discoveryv1.EndpointSlice](view, slicesTable, ref.Namespace) {
		if slice.Labels[discoveryv1.LabelServiceName] == ref.Name {
			b.slices = append(b.slices, slice)
		}
	}
	return b
}
