package apiservice

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
)

// backing is what is behind an APIService: the Service that it names, nil if there is none, and its endpoints.
type backing struct {
	service *corev1.Service
	slices  []*discoveryv1.EndpointSlice
}

// missing says why no request can get to the Service, if that can be seen without one.
func missing(ref *apiregistrationv1.ServiceReference, b backing) (reason, message string) {
	if b.service == nil {
		return "ServiceNotFound", fmt.Sprintf("service/%s in %q is not present", ref.Name, ref.Namespace)
	}
	if b.service.Spec.Type != corev1.ServiceTypeClusterIP {
		return "", ""
	}
	port := int32(443)
	if ref.Port != nil {
		port = *ref.Port
	}
	name, found := "", false
	for _, p := range b.service.Spec.Ports {
		if p.Port == port {
			name, found = p.Name, true
			break
		}
	}
	switch {
	case !found:
		return "ServicePortError", fmt.Sprintf("service/%s in %q is not listening on port %d", ref.Name, ref.Namespace, port)
	case len(b.slices) == 0:
		return "EndpointsNotFound", fmt.Sprintf("cannot find endpointslices for service/%s in %q", ref.Name, ref.Namespace)
	case !reachable(name, b.slices):
		return "MissingEndpoints", fmt.Sprintf("endpointslices for service/%s in %q have no addresses with port name %q", ref.Name, ref.Namespace, name)
	}
	return "", ""
}

// reachable says whether a slice has a ready endpoint and the port.
func reachable(port string, slices []*discoveryv1.EndpointSlice) bool {
	for _, slice := range slices {
		ready, named := false, false
		for i := range slice.Endpoints {
			ready = ready || slice.Endpoints[i].Conditions.Ready == nil || *slice.Endpoints[i].Conditions.Ready
		}
		for _, p := range slice.Ports {
			named = named || p.Name != nil && *p.Name == port && p.Port != nil
		}
		if ready && named {
			return true
		}
	}
	return false
}
