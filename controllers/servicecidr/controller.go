// Package servicecidr says which ranges of Services' addresses are in use, and keeps those whose addresses are.
//
// It decides when a range is ready and when it may go; it owns the finalizer and the condition of ServiceCIDRs; the controller
// host calls it. Until it has seen a new range, Services get their addresses from the others.
package servicecidr

import (
	"context"
	"fmt"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/reconcile"
)

const (
	table          = "servicecidrs.networking.k8s.io"
	addressesTable = "ipaddresses.networking.k8s.io"
)

// New makes the controller.
func New() reconcile.Controller {
	return reconcile.Controller{
		Name:     "servicecidr",
		Identity: "system:serviceaccount:kube-system:service-cidrs-controller",
		Reads: []reconcile.Read{
			{Table: table, Keys: keysOfRange},
			{Table: addressesTable, Keys: keysOfAddress},
		},
		Writes:    []string{table + "/metadata.finalizers(" + finalizer + ")", table + "/status"},
		Reconcile: run,
	}
}

// keysOfRange: a range that comes or goes may let another go, or keep it.
func keysOfRange(view client.View, event client.Event) []reconcile.Key {
	return append(going(view), reconcile.KeyOf(event.Object))
}

func keysOfAddress(view client.View, _ client.Event) []reconcile.Key { return going(view) }

func going(view client.View) []reconcile.Key {
	var keys []reconcile.Key
	for c := range client.List[*networkingv1.ServiceCIDR](view, table, "") {
		if c.DeletionTimestamp != nil {
			keys = append(keys, reconcile.KeyOf(c))
		}
	}
	return keys
}

func run(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	c, ok := client.Get[*networkingv1.ServiceCIDR](req.View, table, "", req.Name)
	if !ok {
		return reconcile.Result{}, nil
	}
	all := slices.Collect(client.List[*networkingv1.ServiceCIDR](req.View, table, ""))
	p := planFor(c, all, client.List[*networkingv1.IPAddress](req.View, addressesTable, ""), req.Now)
	next := c.DeepCopy()
	if has := slices.Contains(c.Finalizers, finalizer); has != p.finalizer {
		next.Finalizers = slices.DeleteFunc(next.Finalizers, func(f string) bool { return f == finalizer })
		if p.finalizer {
			next.Finalizers = append(next.Finalizers, finalizer)
		}
		written, err := req.Client.Update(ctx, client.RefOf(table, next), "", next, metav1.UpdateOptions{})
		if err != nil {
			return reconcile.Result{}, gone(req, err)
		}
		if next, ok = written.(*networkingv1.ServiceCIDR); !ok || !p.finalizer {
			return reconcile.Result{}, nil
		}
		next = next.DeepCopy()
	}
	if p.condition != nil && apimeta.SetStatusCondition(&next.Status.Conditions, *p.condition) {
		if _, err := req.Client.Update(ctx, client.RefOf(table, next), "status", next, metav1.UpdateOptions{}); err != nil {
			return reconcile.Result{}, gone(req, err)
		}
	}
	return reconcile.Result{After: p.after}, nil
}

// gone: somebody else removed the object meanwhile, as the finalizer's absence allows.
func gone(req reconcile.Request, err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return fmt.Errorf("update service range %s: %w", req.Name, err)
}
