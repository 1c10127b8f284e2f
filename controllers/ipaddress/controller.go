// Package ipaddress keeps the objects of Services' addresses true to the Services.
//
// Admission writes them in the commit of the Service, so there is work only when somebody deletes or rewrites one by hand. The
// package decides which are missing and which are nobody's; it owns those that the allocator's label names; the controller host
// calls it. While it cannot act, an address whose object was deleted could be given out twice.
package ipaddress

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/kinds/networking"
	"proa/reconcile"
)

const (
	table         = "ipaddresses.networking.k8s.io"
	servicesTable = "services"
)

// New makes the controller. Its keys are addresses.
func New() reconcile.Controller {
	return reconcile.Controller{
		Name:     "ipaddress",
		Identity: "system:serviceaccount:kube-system:ip-address-controller",
		Reads: []reconcile.Read{
			{Table: servicesTable, Keys: keysOfService},
			{Table: table, Keys: reconcile.Self},
		},
		Writes:    []string{table + "(of a Service that has none)"},
		Deletes:   []string{table},
		Reconcile: run,
	}
}

func keysOfService(_ client.View, event client.Event) []reconcile.Key {
	var keys []reconcile.Key
	service, ok := event.Object.(*corev1.Service)
	if !ok || event.Type == client.Deleted { // its addresses' objects go with it, and say so themselves
		return nil
	}
	for ip := range addresses(service) {
		keys = append(keys, reconcile.Key{Name: ip.String()})
	}
	return keys
}

// addresses yields what a Service holds.
func addresses(service *corev1.Service) func(func(netip.Addr) bool) {
	return func(yield func(netip.Addr) bool) {
		if service.Spec.Type == corev1.ServiceTypeExternalName {
			return
		}
		for _, text := range service.Spec.ClusterIPs {
			if ip, err := netip.ParseAddr(text); err == nil && !yield(ip) {
				return
			}
		}
	}
}

func holds(service *corev1.Service, ip netip.Addr) bool {
	return slices.Contains(slices.Collect(addresses(service)), ip)
}

func run(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	ip, err := netip.ParseAddr(req.Name)
	if err != nil {
		return reconcile.Result{}, nil //nolint:nilerr // no address, none of ours
	}
	if a, ok := client.Get[*networkingv1.IPAddress](req.View, table, "", req.Name); ok {
		return reconcile.Result{}, check(ctx, req, a, ip)
	}
	for service := range client.List[*corev1.Service](req.View, servicesTable, "") {
		if service.DeletionTimestamp == nil && holds(service, ip) {
			a := networking.ServiceAddress(service.Namespace, service.Name, ip)
			_, err := req.Client.Create(ctx, client.RefOf(table, a), "", a, metav1.CreateOptions{})
			if err != nil && !apierrors.IsAlreadyExists(err) {
				return reconcile.Result{}, fmt.Errorf("write address %s down: %w", ip, err)
			}
			return reconcile.Result{}, nil
		}
	}
	return reconcile.Result{}, nil
}

// check removes an object that says what is not so. If another Service has the address, the removal brings it up again.
func check(ctx context.Context, req reconcile.Request, a *networkingv1.IPAddress, ip netip.Addr) error {
	if a.Labels[networkingv1.LabelManagedBy] != networking.AddressManager || a.DeletionTimestamp != nil {
		return nil
	}
	if namespace, name, ok := networking.ServiceOf(a); ok {
		service, found := client.Get[*corev1.Service](req.View, servicesTable, namespace, name)
		if found && holds(service, ip) {
			return nil
		}
	}
	err := req.Client.Delete(ctx, client.RefOf(table, a), metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &a.UID}})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("free address %s: %w", ip, err)
	}
	return nil
}
