package callout

import (
	"fmt"
	"math/rand/v2"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"proa/store"
)

// host is where a Service is: an address, or a name that is still to be resolved.
type host struct{ name, port string }

const (
	servicesTable = "services"
	slicesTable   = "endpointslices.discovery.k8s.io"
)

// resolve lists where a port of a Service is served: the ready endpoints of its first address family before others.
//
// Endpoints are dialled themselves and not the cluster IP, which only hosts with a node's packet rules can reach.
func resolve(snap store.Snapshot, s *Service) ([]host, error) {
	item := snap.Get(store.Key{Table: servicesTable, Namespace: s.Namespace, Name: s.Name})
	if item == nil {
		return nil, apierrors.NewNotFound(corev1.Resource("services"), s.Name)
	}
	service, ok := item.Value().(*corev1.Service)
	if !ok {
		return nil, fmt.Errorf("decode %v: %v", item.Key, item.Value())
	}
	if service.Spec.Type == corev1.ServiceTypeExternalName {
		return []host{{service.Spec.ExternalName, strconv.Itoa(int(s.port()))}}, nil
	}
	port, ok := portOf(service, s.port())
	if !ok {
		return nil, apierrors.NewServiceUnavailable(fmt.Sprintf("no service port %d found for service %q", s.port(), s.Name))
	}
	var first, others []host
	for item := range snap.List(slicesTable, s.Namespace, store.Key{}) {
		slice, ok := item.Value().(*discoveryv1.EndpointSlice)
		if !ok || slice.Labels[discoveryv1.LabelServiceName] != s.Name {
			continue
		}
		if families := service.Spec.IPFamilies; len(families) == 0 || string(families[0]) == string(slice.AddressType) {
			first = append(first, ready(slice, port.Name)...)
		} else {
			others = append(others, ready(slice, port.Name)...)
		}
	}
	if len(first) == 0 {
		first = others
	}
	if len(first) == 0 {
		return nil, apierrors.NewServiceUnavailable(fmt.Sprintf("no endpoints available for service %q", s.Name))
	}
	return first, nil
}

func portOf(service *corev1.Service, number int32) (corev1.ServicePort, bool) {
	for _, p := range service.Spec.Ports {
		if p.Port == number {
			return p, true
		}
	}
	return corev1.ServicePort{}, false
}

// ready lists the endpoints of a slice that serve the port of a name.
func ready(slice *discoveryv1.EndpointSlice, port string) []host {
	var hosts []host
	for _, p := range slice.Ports {
		if p.Port == nil || p.Name == nil && port != "" || p.Name != nil && *p.Name != port {
			continue
		}
		for i := range slice.Endpoints {
			e := &slice.Endpoints[i]
			if (e.Conditions.Ready == nil || *e.Conditions.Ready) && len(e.Addresses) > 0 {
				hosts = append(hosts, host{e.Addresses[0], strconv.Itoa(int(*p.Port))})
			}
		}
	}
	return hosts
}

// mostTries is how many endpoints are tried before a call fails.
const mostTries = 3

// spread picks some of the hosts at random, in the order in which to try them.
func spread(hosts []host) []host {
	out := make([]host, 0, mostTries)
	for _, i := range rand.Perm(len(hosts)) {
		if len(out) == mostTries {
			break
		}
		out = append(out, hosts[i])
	}
	return out
}
