package endpointslice

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"proa/reconcile/backend"
	"proa/reconcile/podstate"
)

// endpointKey says what makes two endpoints the same one, in whatever condition.
type endpointKey struct {
	uid       types.UID
	addresses string
}

func keyOf(endpoint *discoveryv1.Endpoint) endpointKey {
	key := endpointKey{addresses: strings.Join(endpoint.Addresses, ",")}
	if endpoint.TargetRef != nil {
		key.uid = endpoint.TargetRef.UID
	}
	return key
}

// groups are the service's endpoints of a family by their ports, and the order of these.
func (d *decision) groups(family corev1.IPFamily) (groups map[string]*group, order []string) {
	groups = map[string]*group{}
	for _, pod := range d.pods {
		if !backend.Listed(pod, true) {
			continue
		}
		zone, known := d.zone(pod.Spec.NodeName)
		if !known && !d.service.Spec.PublishNotReadyAddresses {
			d.plan.lost = append(d.plan.lost, pod)
			continue
		}
		endpoint := d.endpoint(pod, family, zone)
		if len(endpoint.Addresses) == 0 {
			continue
		}
		was := d.listed[keyOf(&endpoint)]
		if was != nil {
			endpoint.Hints = was.Hints // what they should be is decided when all endpoints have their place
		}
		if was == nil || !equality.Semantic.DeepEqual(*was, endpoint) {
			d.changed = append(d.changed, pod)
		}
		ports := portsOf(d.service, pod)
		key := portsKey(ports)
		if groups[key] == nil {
			groups[key] = &group{ports: ports}
			order = append(order, key)
		}
		groups[key].endpoints = append(groups[key].endpoints, endpoint)
	}
	return groups, order
}

// endpoint describes a pod as a consumer needs it. Ready is what those look at who know no other condition: it is never
// true of a terminating pod, unless the service asks for addresses that are not ready.
func (d *decision) endpoint(pod *corev1.Pod, family corev1.IPFamily, zone string) discoveryv1.Endpoint {
	serving, terminating := podstate.Ready(pod), pod.DeletionTimestamp != nil
	ready := d.service.Spec.PublishNotReadyAddresses || serving && !terminating
	endpoint := discoveryv1.Endpoint{
		Conditions: discoveryv1.EndpointConditions{Ready: &ready, Serving: &serving, Terminating: &terminating},
		TargetRef:  &corev1.ObjectReference{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID},
	}
	for _, address := range backend.Addresses(pod) {
		if backend.Of(family, address) {
			endpoint.Addresses = append(endpoint.Addresses, address.String())
		}
	}
	if pod.Spec.NodeName != "" {
		endpoint.NodeName = &pod.Spec.NodeName
	}
	if zone != "" {
		endpoint.Zone = &zone
	}
	if name := backend.Hostname(d.service, pod); name != "" {
		endpoint.Hostname = &name
	}
	return endpoint
}

// portsOf are the pod's ports behind the service's; those that the pod lacks are left out.
func portsOf(service *corev1.Service, pod *corev1.Pod) []discoveryv1.EndpointPort {
	ports := []discoveryv1.EndpointPort{}
	for i := range service.Spec.Ports {
		from := &service.Spec.Ports[i]
		number, err := backend.Port(pod, from)
		if err != nil {
			continue
		}
		ports = append(ports, discoveryv1.EndpointPort{
			Name: &from.Name, Port: &number, Protocol: &from.Protocol, AppProtocol: from.AppProtocol,
		})
	}
	return ports
}

// portsKey is equal for equal sets of ports.
func portsKey(ports []discoveryv1.EndpointPort) string {
	texts := make([]string, len(ports))
	for i, p := range ports {
		texts[i] = fmt.Sprintf("%s/%d/%s/%s", ptr.Deref(p.Name, ""), ptr.Deref(p.Port, 0), ptr.Deref(p.Protocol, ""), ptr.Deref(p.AppProtocol, ""))
	}
	slices.Sort(texts)
	return strings.Join(texts, ",")
}
