package core

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// Service is the row of services. Addresses and node ports are handed out by an admission step of the API server,
// which asks KeepAllocated, NeedsClusterIP, NeedsNodePorts and NeedsHealthCheckNodePort here.
func Service() *resource.Resource {
	return &resource.Resource{
		Version: "v1", Name: "services", Singular: "service", Kind: "Service", ShortNames: []string{"svc"},
		Categories: []string{"all"}, Namespaced: true,
		New:           func() resource.Object { return &corev1.Service{} },
		NewList:       func() runtime.Object { return &corev1.ServiceList{} },
		Default:       resource.Do(defaultService),
		PrepareCreate: resource.Do(createService),
		PrepareUpdate: resource.Do2(updateService),
		Validate:      resource.Typed(validateServiceCreate),
		ValidateUpdate: resource.Typed2(
			validateServiceUpdate),
		Warnings:                 func(obj, _ resource.Object) []string { return serviceWarnings(obj.(*corev1.Service)) },
		ValidateName:             validation.NameIsDNSLabel, // KEP-5311: no longer a DNS-1035 label
		ChecksNameOnce:           true,
		AllowCreateOnUpdate:      true,
		AllowUnconditionalUpdate: true,
		Status: &resource.Subresource{
			Name: "status", Verbs: []string{"get", "patch", "update"},
			PrepareUpdate:  resource.Do2(func(service, old *corev1.Service) { service.Spec = *old.Spec.DeepCopy() }),
			ValidateUpdate: resource.Typed2(validateServiceStatus),
			Warnings: func(obj, _ resource.Object) []string {
				var list []string
				for i, point := range obj.(*corev1.Service).Status.LoadBalancer.Ingress {
					list = append(list, meta.IPWarnings(field.NewPath("status", "loadBalancer", "ingress").Index(i), point.IP)...)
				}
				return list
			},
		},
		Columns: serviceColumns(),
		Row:     resource.Typed(serviceRow),
		Fields: resource.Typed(func(service *corev1.Service) fields.Set {
			return fields.Set{"spec.clusterIP": service.Spec.ClusterIP, "spec.type": string(service.Spec.Type)}
		}),
		FieldLabels: []string{"spec.clusterIP", "spec.type"},
	}
}

func defaultService(service *corev1.Service) {
	spec := &service.Spec
	defaultAffinity(spec)
	if spec.Type == "" {
		spec.Type = corev1.ServiceTypeClusterIP
	}
	for i := range spec.Ports {
		port := &spec.Ports[i]
		if port.Protocol == "" {
			port.Protocol = corev1.ProtocolTCP
		}
		if port.TargetPort == intstr.FromInt32(0) || port.TargetPort == intstr.FromString("") {
			port.TargetPort = intstr.FromInt32(port.Port)
		}
	}
	if isExternal(service) && spec.ExternalTrafficPolicy == "" {
		spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyCluster
	}
	if spec.InternalTrafficPolicy == nil && hasVirtualAddress(service) {
		spec.InternalTrafficPolicy = new(corev1.ServiceInternalTrafficPolicyCluster)
	}
	if spec.Type == corev1.ServiceTypeLoadBalancer {
		if spec.AllocateLoadBalancerNodePorts == nil {
			spec.AllocateLoadBalancerNodePorts = new(true)
		}
		for i := range service.Status.LoadBalancer.Ingress {
			if ingress := &service.Status.LoadBalancer.Ingress[i]; ingress.IP != "" && ingress.IPMode == nil {
				ingress.IPMode = new(corev1.LoadBalancerIPModeVIP)
			}
		}
	}
}

func defaultAffinity(spec *corev1.ServiceSpec) {
	switch spec.SessionAffinity {
	case "", corev1.ServiceAffinityNone:
		spec.SessionAffinity = corev1.ServiceAffinityNone
		spec.SessionAffinityConfig = nil
	case corev1.ServiceAffinityClientIP:
		if config := spec.SessionAffinityConfig; config == nil || config.ClientIP == nil || config.ClientIP.TimeoutSeconds == nil {
			seconds := corev1.DefaultClientIPServiceAffinitySeconds
			spec.SessionAffinityConfig = &corev1.SessionAffinityConfig{ClientIP: &corev1.ClientIPConfig{TimeoutSeconds: &seconds}}
		}
	}
}

// hasVirtualAddress says whether the type is one of those that have an address of the cluster's own.
func hasVirtualAddress(service *corev1.Service) bool {
	switch service.Spec.Type {
	case corev1.ServiceTypeClusterIP, corev1.ServiceTypeNodePort, corev1.ServiceTypeLoadBalancer:
		return true
	}
	return false
}

// isExternal says whether traffic can come from outside of the cluster.
func isExternal(service *corev1.Service) bool {
	return service.Spec.Type == corev1.ServiceTypeLoadBalancer || service.Spec.Type == corev1.ServiceTypeNodePort ||
		service.Spec.Type == corev1.ServiceTypeClusterIP && len(service.Spec.ExternalIPs) > 0
}

// isHeadless says whether the service is names only, without an address of its own.
func isHeadless(service *corev1.Service) bool {
	return len(service.Spec.ClusterIPs) == 1 && service.Spec.ClusterIPs[0] == corev1.ClusterIPNone
}

func serviceColumns() []resource.Column {
	doc := corev1.ServiceSpec{}.SwaggerDoc()
	return []resource.Column{
		meta.Name(),
		meta.Column("Type", doc["type"]),
		meta.Column("Cluster-IP", doc["clusterIP"]),
		meta.Column("External-IP", doc["externalIPs"]),
		meta.Column("Port(s)", doc["ports"]),
		meta.Age(),
		meta.Wide("Selector", doc["selector"]),
	}
}

func serviceRow(service *corev1.Service) []any {
	clusterIP := "<none>"
	if len(service.Spec.ClusterIPs) > 0 {
		clusterIP = service.Spec.ClusterIPs[0]
	}
	return []any{
		service.Name, string(service.Spec.Type), clusterIP, externalIPs(service), servicePorts(service.Spec.Ports),
		meta.Since(service.CreationTimestamp), labels.FormatLabels(service.Spec.Selector),
	}
}

func externalIPs(service *corev1.Service) string {
	switch service.Spec.Type {
	case corev1.ServiceTypeClusterIP, corev1.ServiceTypeNodePort:
		if len(service.Spec.ExternalIPs) > 0 {
			return strings.Join(service.Spec.ExternalIPs, ",")
		}
		return "<none>"
	case corev1.ServiceTypeLoadBalancer:
		var addresses []string
		for _, ingress := range service.Status.LoadBalancer.Ingress {
			if address := firstOf(ingress.IP, ingress.Hostname); address != "" {
				addresses = append(addresses, address)
			}
		}
		slices.Sort(addresses)
		addresses = append(slices.Compact(addresses), service.Spec.ExternalIPs...)
		if len(addresses) > 0 {
			return strings.Join(addresses, ",")
		}
		return "<pending>"
	case corev1.ServiceTypeExternalName:
		return service.Spec.ExternalName
	}
	return "<unknown>"
}

func servicePorts(ports []corev1.ServicePort) string {
	if len(ports) == 0 {
		return "<none>"
	}
	var pieces []string
	for _, port := range ports {
		if port.NodePort > 0 {
			pieces = append(pieces, fmt.Sprintf("%d:%d/%s", port.Port, port.NodePort, port.Protocol))
		} else {
			pieces = append(pieces, fmt.Sprintf("%d/%s", port.Port, port.Protocol))
		}
	}
	return strings.Join(pieces, ",")
}
