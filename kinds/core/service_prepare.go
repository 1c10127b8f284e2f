package core

import (
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// NeedsClusterIP says whether the service must have clusterIPs, be it None.
func NeedsClusterIP(service *corev1.Service) bool {
	return service.Spec.Type != corev1.ServiceTypeExternalName
}

// NeedsNodePorts says whether the type has a port on every node. A load balancer may do without them
// (allocateLoadBalancerNodePorts); what is set stays all the same.
func NeedsNodePorts(service *corev1.Service) bool {
	return service.Spec.Type == corev1.ServiceTypeNodePort || service.Spec.Type == corev1.ServiceTypeLoadBalancer
}

// NeedsHealthCheckNodePort says whether load balancers ask the nodes which of them have a backend.
func NeedsHealthCheckNodePort(service *corev1.Service) bool {
	return service.Spec.Type == corev1.ServiceTypeLoadBalancer &&
		service.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal
}

// KeepAllocated brings clusterIP and clusterIPs in line and fills in what old was handed out and a client left out:
// addresses, node ports by the name of their port, the health check's port. old is nil for a new service. Whoever
// hands out addresses calls it first; after a second call nothing is different.
func KeepAllocated(service, old *corev1.Service) {
	if old == nil {
		if service.Spec.ClusterIP != "" && len(service.Spec.ClusterIPs) == 0 {
			service.Spec.ClusterIPs = []string{service.Spec.ClusterIP}
		}
		return
	}
	if NeedsClusterIP(service) && NeedsClusterIP(old) {
		if service.Spec.ClusterIP == "" {
			service.Spec.ClusterIP = old.Spec.ClusterIP
		}
		if len(service.Spec.ClusterIPs) == 0 {
			service.Spec.ClusterIPs = slices.Clone(old.Spec.ClusterIPs)
		}
	}
	if NeedsNodePorts(service) && NeedsNodePorts(old) {
		keepNodePorts(service, old)
	}
	if NeedsHealthCheckNodePort(service) && NeedsHealthCheckNodePort(old) && service.Spec.HealthCheckNodePort == 0 {
		service.Spec.HealthCheckNodePort = old.Spec.HealthCheckNodePort
	}
	syncClusterIPs(service, old)
}

func keepNodePorts(service, old *corev1.Service) {
	before := map[string]int32{}
	for _, port := range old.Spec.Ports {
		before[port.Name] = port.NodePort
	}
	taken := nodePorts(service)
	for i := range service.Spec.Ports {
		port := &service.Spec.Ports[i]
		if kept := before[port.Name]; port.NodePort == 0 && !taken[kept] {
			port.NodePort = kept
		}
	}
}

func nodePorts(service *corev1.Service) map[int32]bool {
	ports := map[int32]bool{}
	for _, port := range service.Spec.Ports {
		if port.NodePort != 0 {
			ports[port.NodePort] = true
		}
	}
	return ports
}

// syncClusterIPs follows a client that changed one of clusterIP and clusterIPs and left the other as it was.
func syncClusterIPs(service, old *corev1.Service) {
	now, before := &service.Spec, &old.Spec
	if len(before.ClusterIPs) > 0 && len(now.ClusterIPs) == 0 && before.ClusterIP == now.ClusterIP {
		now.ClusterIPs = slices.Clone(before.ClusterIPs)
	}
	if before.ClusterIP == now.ClusterIP || !slices.Equal(before.ClusterIPs, now.ClusterIPs) {
		return
	}
	if now.ClusterIP == "" {
		now.ClusterIPs = nil
	} else {
		now.ClusterIPs = []string{now.ClusterIP}
	}
}

func createService(service *corev1.Service) {
	service.Status = corev1.ServiceStatus{}
	KeepAllocated(service, nil)
	dropTrafficPolicy(service)
}

// dropTrafficPolicy clears what upstream keeps of a name elsewhere, and shows to nobody. A policy that there is not is left for
// validation to refuse.
func dropTrafficPolicy(service *corev1.Service) {
	spec := &service.Spec
	if spec.Type == corev1.ServiceTypeExternalName && spec.InternalTrafficPolicy != nil && slices.Contains(trafficPolicies, *spec.InternalTrafficPolicy) {
		spec.InternalTrafficPolicy = nil
	}
}

func updateService(service, old *corev1.Service) {
	KeepAllocated(service, old)
	service.Status = *old.Status.DeepCopy()
	dropForeignFields(service, old)
	dropTrafficPolicy(service)
}

// dropForeignFields clears what a change of type leaves without meaning, if it may have been filled in for the
// client and the client did not change it as well; what it did change is for validation to refuse.
func dropForeignFields(service, old *corev1.Service) {
	now, before := &service.Spec, &old.Spec
	if NeedsClusterIP(old) && !NeedsClusterIP(service) {
		if now.ClusterIP == before.ClusterIP && slices.Equal(now.ClusterIPs, before.ClusterIPs) {
			now.ClusterIP, now.ClusterIPs = "", nil
		}
		if slices.Equal(now.IPFamilies, before.IPFamilies) {
			now.IPFamilies = nil
		}
		if reflect.DeepEqual(now.IPFamilyPolicy, before.IPFamilyPolicy) {
			now.IPFamilyPolicy = nil
		}
	}
	if NeedsNodePorts(old) && !NeedsNodePorts(service) && addsNoNodePort(service, old) {
		for i := range now.Ports {
			now.Ports[i].NodePort = 0
		}
	}
	if NeedsHealthCheckNodePort(old) && !NeedsHealthCheckNodePort(service) && now.HealthCheckNodePort == before.HealthCheckNodePort {
		now.HealthCheckNodePort = 0
	}
	if before.Type == corev1.ServiceTypeLoadBalancer && now.Type != corev1.ServiceTypeLoadBalancer {
		if reflect.DeepEqual(now.AllocateLoadBalancerNodePorts, before.AllocateLoadBalancerNodePorts) {
			now.AllocateLoadBalancerNodePorts = nil
		}
		if reflect.DeepEqual(now.LoadBalancerClass, before.LoadBalancerClass) {
			now.LoadBalancerClass = nil
		}
	}
	if isExternal(old) && !isExternal(service) && now.ExternalTrafficPolicy == before.ExternalTrafficPolicy {
		now.ExternalTrafficPolicy = ""
	}
	if now.Type != corev1.ServiceTypeLoadBalancer {
		service.Status.LoadBalancer = corev1.LoadBalancerStatus{}
	}
}

func addsNoNodePort(service, old *corev1.Service) bool {
	before := nodePorts(old)
	for port := range nodePorts(service) {
		if !before[port] {
			return false
		}
	}
	return true
}
