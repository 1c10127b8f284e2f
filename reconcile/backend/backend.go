// Package backend says which pods stand behind a Service, and on which ports. It decides nothing else and owns nothing;
// the controllers of endpoint slices and of endpoints share it so that both list the same. All functions are pure.
package backend

import (
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"proa/client"
	"proa/reconcile"
	"proa/reconcile/podstate"
)

// TriggerTime is the annotation that says when the change happened that endpoints were last written for.
const TriggerTime = corev1.EndpointsLastChangeTriggerTime

// KeysOfPod are the services that select the pod, or did before the change, unless the change is none that they show.
func KeysOfPod(view client.View, event client.Event) []reconcile.Key {
	pod, ok := event.Object.(*corev1.Pod)
	if !ok {
		return nil
	}
	old, _ := event.Old.(*corev1.Pod)
	if event.Type == client.Updated && old != nil && !shows(old, pod) {
		return nil
	}
	var keys []reconcile.Key
	for service := range client.List[*corev1.Service](view, "services", pod.Namespace) {
		if Selects(service, pod) || old != nil && Selects(service, old) {
			keys = append(keys, reconcile.KeyOf(service))
		}
	}
	return keys
}

// shows says whether an endpoint of the pod looks different after a change.
func shows(old, pod *corev1.Pod) bool {
	return podstate.Ready(old) != podstate.Ready(pod) ||
		podstate.Terminal(old) != podstate.Terminal(pod) ||
		(old.DeletionTimestamp == nil) != (pod.DeletionTimestamp == nil) ||
		old.Spec.NodeName != pod.Spec.NodeName ||
		old.UID != pod.UID ||
		!equality.Semantic.DeepEqual(old.Status.PodIPs, pod.Status.PodIPs) || old.Status.PodIP != pod.Status.PodIP ||
		!equality.Semantic.DeepEqual(old.Labels, pod.Labels)
}

// Selects says whether the service has a selector and the pod matches it.
func Selects(service *corev1.Service, pod *corev1.Pod) bool {
	return len(service.Spec.Selector) > 0 && labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(pod.Labels))
}

// Listed says whether a selected pod is an endpoint at all: it runs, has an address, and is not terminating unless such
// pods are wanted too.
func Listed(pod *corev1.Pod, terminatingToo bool) bool {
	return !podstate.Terminal(pod) && len(Addresses(pod)) > 0 && (terminatingToo || pod.DeletionTimestamp == nil)
}

// Addresses are the pod's addresses of all families.
func Addresses(pod *corev1.Pod) []netip.Addr {
	texts := []string{pod.Status.PodIP}
	if len(pod.Status.PodIPs) > 0 {
		texts = texts[:0]
		for _, ip := range pod.Status.PodIPs {
			texts = append(texts, ip.IP)
		}
	}
	var addresses []netip.Addr
	for _, text := range texts {
		if address, err := netip.ParseAddr(text); err == nil {
			addresses = append(addresses, address)
		}
	}
	return addresses
}

// Families are the address families of a service, the primary one first.
func Families(service *corev1.Service) []corev1.IPFamily {
	if len(service.Spec.IPFamilies) > 0 {
		return service.Spec.IPFamilies
	}
	if address, err := netip.ParseAddr(service.Spec.ClusterIP); err == nil && address.Is6() {
		return []corev1.IPFamily{corev1.IPv6Protocol}
	}
	return []corev1.IPFamily{corev1.IPv4Protocol}
}

// Of says whether an address is of a family.
func Of(family corev1.IPFamily, address netip.Addr) bool {
	return (family == corev1.IPv6Protocol) == (address.Is6() && !address.Is4In6())
}

// Port is the number of the pod's port that a service's port leads to.
func Port(pod *corev1.Pod, port *corev1.ServicePort) (int32, error) {
	if port.TargetPort.Type == intstr.Int {
		return port.TargetPort.IntVal, nil
	}
	for _, container := range servers(pod) {
		for _, p := range container.Ports {
			if p.Name == port.TargetPort.StrVal && p.Protocol == port.Protocol {
				return p.ContainerPort, nil
			}
		}
	}
	return 0, fmt.Errorf("no suitable port for manifest: %s", pod.UID)
}

// servers are the containers that run while the pod does: sidecars serve too.
func servers(pod *corev1.Pod) []corev1.Container {
	list := append([]corev1.Container(nil), pod.Spec.Containers...)
	for _, c := range pod.Spec.InitContainers {
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			list = append(list, c)
		}
	}
	return list
}

// Hostname is the pod's name within the service's domain, empty if it has none.
func Hostname(service *corev1.Service, pod *corev1.Pod) string {
	if pod.Spec.Subdomain == service.Name && pod.Namespace == service.Namespace {
		return pod.Spec.Hostname
	}
	return ""
}

// Headless says whether the service has no address of its own.
func Headless(service *corev1.Service) bool { return service.Spec.ClusterIP == corev1.ClusterIPNone }
