package core

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"

	"proa/kinds/meta"
)

const onlyForLoadBalancer = "may only be used when `type` is 'LoadBalancer'"

var trafficPolicies = []corev1.ServiceInternalTrafficPolicy{corev1.ServiceInternalTrafficPolicyCluster, corev1.ServiceInternalTrafficPolicyLocal}

func validateServiceCreate(service *corev1.Service) field.ErrorList {
	return validateService(service, nil)
}

// validateService checks a service as it is; old, which may be nil, excuses addresses that older rules let in.
func validateService(service, old *corev1.Service) field.ErrorList {
	errs := validateTopologyAnnotations(service)
	errs = append(errs, validateServiceType(service)...)
	errs = append(errs, validateServicePorts(service)...)
	errs = append(errs, metav1validation.ValidateLabels(service.Spec.Selector, field.NewPath("spec", "selector"))...)
	errs = append(errs, validateAffinity(&service.Spec)...)
	errs = append(errs, validateClusterIPs(service, old)...)
	errs = append(errs, validateExternalIPs(service, old)...)
	errs = append(errs, validateKnownType(service.Spec.Type)...)
	errs = append(errs, validateNodePorts(service)...)
	errs = append(errs, validateLoadBalancer(service, old)...)
	return append(errs, validateTrafficPolicies(service)...)
}

func validateTopologyAnnotations(service *corev1.Service) field.ErrorList {
	hints, hintsSet := service.Annotations[corev1.DeprecatedAnnotationTopologyAwareHints]
	mode, modeSet := service.Annotations[corev1.AnnotationTopologyMode]
	if !hintsSet || !modeSet || hints == mode {
		return nil
	}
	return field.ErrorList{field.Invalid(field.NewPath("metadata", "annotations").Key(corev1.AnnotationTopologyMode), mode,
		fmt.Sprintf("must match annotations[%s] when both are specified", corev1.DeprecatedAnnotationTopologyAwareHints))}
}

func validateKnownType(kind corev1.ServiceType) field.ErrorList {
	path := field.NewPath("spec", "type")
	switch kind {
	case "":
		return field.ErrorList{field.Required(path, "")}
	case corev1.ServiceTypeClusterIP, corev1.ServiceTypeNodePort, corev1.ServiceTypeLoadBalancer, corev1.ServiceTypeExternalName:
		return nil
	}
	return field.ErrorList{field.NotSupported(path, kind, []corev1.ServiceType{
		corev1.ServiceTypeClusterIP, corev1.ServiceTypeExternalName, corev1.ServiceTypeLoadBalancer, corev1.ServiceTypeNodePort,
	})}
}

// validateServiceType wants what each type must have, and refuses what it cannot.
func validateServiceType(service *corev1.Service) field.ErrorList {
	var errs field.ErrorList
	spec, path := &service.Spec, field.NewPath("spec")
	if len(spec.Ports) == 0 && !isHeadless(service) && spec.Type != corev1.ServiceTypeExternalName {
		errs = append(errs, field.Required(path.Child("ports"), ""))
	}
	switch spec.Type {
	case corev1.ServiceTypeLoadBalancer, corev1.ServiceTypeNodePort:
		if isHeadless(service) {
			errs = append(errs, field.Invalid(path.Child("clusterIPs").Index(0), spec.ClusterIPs[0],
				fmt.Sprintf("may not be set to 'None' for %s services", spec.Type)))
		}
	case corev1.ServiceTypeExternalName:
		const detail = "may not be set for ExternalName services"
		if len(spec.ClusterIPs) > 0 {
			errs = append(errs, field.Forbidden(path.Child("clusterIPs"), detail))
		}
		if len(spec.IPFamilies) > 0 {
			errs = append(errs, field.Forbidden(path.Child("ipFamilies"), detail))
		}
		if spec.IPFamilyPolicy != nil {
			errs = append(errs, field.Forbidden(path.Child("ipFamilyPolicy"), detail))
		}
		// A trailing dot says that the name is complete.
		if name := strings.TrimSuffix(spec.ExternalName, "."); name == "" {
			errs = append(errs, field.Required(path.Child("externalName"), ""))
		} else {
			errs = append(errs, meta.Each(path.Child("externalName"), name, validation.IsDNS1123Subdomain(name))...)
		}
	}
	return errs
}

func validateServicePorts(service *corev1.Service) field.ErrorList {
	var errs field.ErrorList
	names := sets.New[string]()
	for i := range service.Spec.Ports {
		port, path := &service.Spec.Ports[i], field.NewPath("spec", "ports").Index(i)
		if port.Name == "" {
			if len(service.Spec.Ports) > 1 {
				errs = append(errs, field.Required(path.Child("name"), ""))
			}
		} else {
			errs = append(errs, meta.DNSLabel(path.Child("name"), port.Name)...)
			if names.Has(port.Name) {
				errs = append(errs, field.Duplicate(path.Child("name"), port.Name))
			}
			names.Insert(port.Name)
		}
		errs = append(errs, meta.PortNumber(path.Child("port"), port.Port)...)
		errs = append(errs, meta.Protocol(path.Child("protocol"), port.Protocol)...)
		errs = append(errs, meta.PortNumberOrName(path.Child("targetPort"), port.TargetPort)...)
		if port.AppProtocol != nil {
			errs = append(errs, meta.QualifiedName(path.Child("appProtocol"), *port.AppProtocol)...)
		}
	}
	return errs
}

// validateNodePorts refuses two ports that would meet on one number.
func validateNodePorts(service *corev1.Service) field.ErrorList {
	var onNode, inCluster field.ErrorList
	var errs field.ErrorList
	type endpoint struct {
		protocol corev1.Protocol
		number   int32
	}
	nodePorts, ports := sets.New[endpoint](), sets.New[endpoint]()
	for i, port := range service.Spec.Ports {
		path := field.NewPath("spec", "ports").Index(i)
		if key := (endpoint{port.Protocol, port.NodePort}); port.NodePort != 0 {
			if service.Spec.Type == corev1.ServiceTypeClusterIP {
				errs = append(errs, field.Forbidden(path.Child("nodePort"), "may not be used when `type` is 'ClusterIP'"))
			}
			if nodePorts.Has(key) {
				onNode = append(onNode, field.Duplicate(path.Child("nodePort"), port.NodePort))
			}
			nodePorts.Insert(key)
		}
		key := endpoint{port.Protocol, port.Port}
		if ports.Has(key) {
			inCluster = append(inCluster, field.Duplicate(path, meta.Internal(corev1.ServicePort{Protocol: port.Protocol, Port: port.Port})))
		}
		ports.Insert(key)
	}
	return append(append(errs, onNode...), inCluster...)
}

func validateAffinity(spec *corev1.ServiceSpec) field.ErrorList {
	path := field.NewPath("spec", "sessionAffinity")
	at := field.NewPath("spec", "sessionAffinityConfig")
	switch spec.SessionAffinity {
	case "":
		return field.ErrorList{field.Required(path, "")}
	case corev1.ServiceAffinityNone:
		if spec.SessionAffinityConfig != nil {
			return field.ErrorList{field.Forbidden(at, "must not be set when session affinity is None")}
		}
		return nil
	case corev1.ServiceAffinityClientIP:
	default:
		return field.ErrorList{field.NotSupported(path, spec.SessionAffinity,
			[]corev1.ServiceAffinity{corev1.ServiceAffinityClientIP, corev1.ServiceAffinityNone})}
	}
	const missing = "when session affinity type is ClientIP"
	config := spec.SessionAffinityConfig
	if config == nil {
		return field.ErrorList{field.Required(at, missing)}
	}
	if config.ClientIP == nil {
		return field.ErrorList{field.Required(at.Child("clientIP"), missing)}
	}
	at = at.Child("clientIP", "timeoutSeconds")
	const day = 86400
	switch seconds := config.ClientIP.TimeoutSeconds; {
	case seconds == nil:
		return field.ErrorList{field.Required(at, missing)}
	case *seconds <= 0 || *seconds > day:
		return field.ErrorList{field.Invalid(at, *seconds, fmt.Sprintf("must be greater than 0 and less than %d", day))}
	}
	return nil
}

// validateExternalIPs refuses addresses of the node itself: a service must not take over its loopback.
func validateExternalIPs(service, old *corev1.Service) field.ErrorList {
	var errs field.ErrorList
	var before []string
	if old != nil {
		before = old.Spec.ExternalIPs
	}
	for i, ip := range service.Spec.ExternalIPs {
		path := field.NewPath("spec", "externalIPs").Index(i)
		if wrong := meta.IP(path, ip, before); len(wrong) > 0 {
			errs = append(errs, wrong...)
		} else {
			errs = append(errs, meta.EndpointIP(path, ip)...)
		}
	}
	return errs
}

func validateLoadBalancer(service, old *corev1.Service) field.ErrorList {
	errs := validateSourceRanges(service, old)
	spec, path := &service.Spec, field.NewPath("spec")
	balanced := spec.Type == corev1.ServiceTypeLoadBalancer
	if spec.AllocateLoadBalancerNodePorts != nil && !balanced {
		errs = append(errs, field.Forbidden(path.Child("allocateLoadBalancerNodePorts"), onlyForLoadBalancer))
	}
	if spec.AllocateLoadBalancerNodePorts == nil && balanced {
		errs = append(errs, field.Required(field.NewPath("allocateLoadBalancerNodePorts"), ""))
	}
	return append(errs, validateBalancerClass(service)...)
}

func validateBalancerClass(service *corev1.Service) field.ErrorList {
	class, path := service.Spec.LoadBalancerClass, field.NewPath("spec", "loadBalancerClass")
	switch {
	case class == nil:
		return nil
	case service.Spec.Type != corev1.ServiceTypeLoadBalancer:
		return field.ErrorList{field.Forbidden(path, onlyForLoadBalancer)}
	}
	return meta.QualifiedName(path, *class)
}

// validateSourceRanges looks at the field, or at the annotation that was there before it. Both may have spaces.
func validateSourceRanges(service, old *corev1.Service) field.ErrorList {
	var errs field.ErrorList
	foreign := service.Spec.Type != corev1.ServiceTypeLoadBalancer
	if ranges := service.Spec.LoadBalancerSourceRanges; len(ranges) > 0 {
		path := field.NewPath("spec", "LoadBalancerSourceRanges")
		if foreign {
			errs = append(errs, field.Forbidden(path, onlyForLoadBalancer))
		}
		var before []string
		if old != nil {
			for _, cidr := range old.Spec.LoadBalancerSourceRanges {
				before = append(before, strings.TrimSpace(cidr))
			}
		}
		for i, cidr := range ranges {
			errs = append(errs, meta.CIDR(path.Index(i), strings.TrimSpace(cidr), before)...)
		}
		return errs
	}
	value, ok := service.Annotations[corev1.AnnotationLoadBalancerSourceRangesKey]
	if !ok {
		return nil
	}
	path := field.NewPath("metadata", "annotations").Key(corev1.AnnotationLoadBalancerSourceRangesKey)
	if foreign {
		errs = append(errs, field.Forbidden(path, onlyForLoadBalancer))
	}
	if value = strings.TrimSpace(value); value == "" || old != nil && strings.TrimSpace(old.Annotations[corev1.AnnotationLoadBalancerSourceRangesKey]) == value {
		return errs
	}
	for cidr := range strings.SplitSeq(value, ",") {
		errs = append(errs, meta.CIDR(path, strings.TrimSpace(cidr), nil)...)
	}
	return errs
}

func validateTrafficPolicies(service *corev1.Service) field.ErrorList {
	errs := validateExternalTraffic(service)
	spec, path := &service.Spec, field.NewPath("spec")
	switch policy := spec.InternalTrafficPolicy; {
	case policy == nil:
		if hasVirtualAddress(service) {
			errs = append(errs, field.Required(path.Child("internalTrafficPolicy"), ""))
		}
	case !slices.Contains(trafficPolicies, *policy):
		errs = append(errs, field.NotSupported(path.Child("internalTrafficPolicy"), *policy, trafficPolicies))
	}
	if spec.TrafficDistribution == nil {
		return errs
	}
	switch *spec.TrafficDistribution {
	case corev1.ServiceTrafficDistributionPreferClose, corev1.ServiceTrafficDistributionPreferSameZone, corev1.ServiceTrafficDistributionPreferSameNode:
		return errs
	}
	return append(errs, field.NotSupported(path.Child("trafficDistribution"), *spec.TrafficDistribution, []string{
		corev1.ServiceTrafficDistributionPreferClose, corev1.ServiceTrafficDistributionPreferSameZone, corev1.ServiceTrafficDistributionPreferSameNode,
	}))
}

func validateExternalTraffic(service *corev1.Service) field.ErrorList {
	var errs field.ErrorList
	policy, path := service.Spec.ExternalTrafficPolicy, field.NewPath("spec", "externalTrafficPolicy")
	switch {
	case !isExternal(service):
		if policy != "" {
			errs = append(errs, field.Invalid(path, policy, "may only be set for externally-accessible services"))
		}
	case policy == "":
		errs = append(errs, field.Required(path, ""))
	case policy != corev1.ServiceExternalTrafficPolicyCluster && policy != corev1.ServiceExternalTrafficPolicyLocal:
		errs = append(errs, field.NotSupported(path, policy,
			[]corev1.ServiceExternalTrafficPolicy{corev1.ServiceExternalTrafficPolicyCluster, corev1.ServiceExternalTrafficPolicyLocal}))
	}
	port, path := service.Spec.HealthCheckNodePort, field.NewPath("spec", "healthCheckNodePort")
	switch {
	case !NeedsHealthCheckNodePort(service):
		if port != 0 {
			errs = append(errs, field.Invalid(path, port, "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"))
		}
	case port == 0:
		errs = append(errs, field.Required(path, ""))
	default:
		errs = append(errs, meta.PortNumber(path, port)...)
	}
	return errs
}

func validateServiceStatus(service, old *corev1.Service) field.ErrorList {
	path := field.NewPath("status", "loadBalancer", "ingress")
	ingresses := service.Status.LoadBalancer.Ingress
	if service.Spec.Type != corev1.ServiceTypeLoadBalancer && len(ingresses) > 0 {
		return field.ErrorList{field.Forbidden(path, "may only be used when `spec.type` is 'LoadBalancer'")}
	}
	var before []string
	for _, ingress := range old.Status.LoadBalancer.Ingress {
		before = append(before, ingress.IP)
	}
	var errs field.ErrorList
	for i := range ingresses {
		errs = append(errs, validateIngress(path.Index(i), &ingresses[i], before)...)
	}
	return errs
}

func validateIngress(path *field.Path, ingress *corev1.LoadBalancerIngress, before []string) field.ErrorList {
	var errs field.ErrorList
	if ingress.IP != "" {
		errs = append(errs, meta.IP(path.Child("ip"), ingress.IP, before)...)
	}
	mode := ingress.IPMode
	switch {
	case mode == nil && ingress.IP != "":
		errs = append(errs, field.Required(path.Child("ipMode"), "must be specified when `ip` is set"))
	case mode == nil:
	case ingress.IP == "":
		errs = append(errs, field.Forbidden(path.Child("ipMode"), "may not be specified when `ip` is not set"))
	case *mode != corev1.LoadBalancerIPModeVIP && *mode != corev1.LoadBalancerIPModeProxy:
		errs = append(errs, field.NotSupported(path.Child("ipMode"), *mode,
			[]corev1.LoadBalancerIPMode{corev1.LoadBalancerIPModeProxy, corev1.LoadBalancerIPModeVIP}))
	}
	if ingress.Hostname != "" {
		errs = append(errs, meta.Each(path.Child("hostname"), ingress.Hostname, validation.IsDNS1123Subdomain(ingress.Hostname))...)
		if netutils.ParseIPSloppy(ingress.Hostname) != nil {
			errs = append(errs, field.Invalid(path.Child("hostname"), ingress.Hostname, "must be a DNS name, not an IP address"))
		}
	}
	return errs
}
