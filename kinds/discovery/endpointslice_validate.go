package discovery

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"

	"proa/kinds/meta"
)

// How much one slice may hold.
const (
	maxEndpoints      = 1000
	maxAddresses      = 100
	maxPorts          = 20000
	maxTopologyLabels = 16
	maxHints          = 8
)

// validateEndpointSlice lets pass endpoints that were stored before, unchanged. old may be nil.
func validateEndpointSlice(slice, old *discoveryv1.EndpointSlice) field.ErrorList {
	errs := validateAddressType(slice.AddressType)
	errs = append(errs, validatePorts(slice.Ports)...)
	wrong := validateEndpoints(slice)
	if len(wrong) > 0 && old != nil && equality.Semantic.DeepEqual(slice.Endpoints, old.Endpoints) {
		wrong = nil
	}
	return append(errs, wrong...)
}

func validateEndpointSliceUpdate(slice, old *discoveryv1.EndpointSlice) field.ErrorList {
	errs := validateEndpointSlice(slice, old)
	return append(errs, apivalidation.ValidateImmutableField(slice.AddressType, old.AddressType, field.NewPath("addressType"))...)
}

func validateAddressType(kind discoveryv1.AddressType) field.ErrorList {
	path := field.NewPath("addressType")
	switch kind {
	case "":
		return field.ErrorList{field.Required(path, "")}
	case discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6, discoveryv1.AddressTypeFQDN:
		return nil
	}
	return field.ErrorList{field.NotSupported(path, kind,
		[]discoveryv1.AddressType{discoveryv1.AddressTypeFQDN, discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6})}
}

func validatePorts(ports []discoveryv1.EndpointPort) field.ErrorList {
	if len(ports) > maxPorts {
		return field.ErrorList{field.TooMany(field.NewPath("ports"), len(ports), maxPorts)}
	}
	var errs field.ErrorList
	var names []string
	for i, port := range ports {
		path := field.NewPath("ports").Index(i)
		if *port.Name != "" {
			errs = append(errs, meta.DNSLabel(path.Child("name"), *port.Name)...)
		}
		if slices.Contains(names, *port.Name) {
			errs = append(errs, field.Duplicate(path.Child("name"), *port.Name))
		}
		names = append(names, *port.Name)
		errs = append(errs, validateProtocol(path.Child("protocol"), *port.Protocol)...)
		if port.AppProtocol != nil {
			errs = append(errs, meta.QualifiedName(path.Child("appProtocol"), *port.AppProtocol)...)
		}
	}
	return errs
}

// validateProtocol: a protocol that is left out is TCP by now, so an empty one was written, and is none of the three.
func validateProtocol(path *field.Path, protocol corev1.Protocol) field.ErrorList {
	if protocol == "" {
		return field.ErrorList{field.NotSupported(path, protocol, []corev1.Protocol{corev1.ProtocolSCTP, corev1.ProtocolTCP, corev1.ProtocolUDP})}
	}
	return meta.Protocol(path, protocol)
}

func validateEndpoints(slice *discoveryv1.EndpointSlice) field.ErrorList {
	if len(slice.Endpoints) > maxEndpoints {
		return field.ErrorList{field.TooMany(field.NewPath("endpoints"), len(slice.Endpoints), maxEndpoints)}
	}
	var errs field.ErrorList
	for i := range slice.Endpoints {
		endpoint, path := &slice.Endpoints[i], field.NewPath("endpoints").Index(i)
		errs = append(errs, validateAddresses(path.Child("addresses"), endpoint.Addresses, slice.AddressType)...)
		if endpoint.NodeName != nil {
			errs = append(errs, meta.Each(path.Child("nodeName"), *endpoint.NodeName, validation.IsDNS1123Subdomain(*endpoint.NodeName))...)
		}
		topology := path.Child("deprecatedTopology")
		if len(endpoint.DeprecatedTopology) > maxTopologyLabels {
			errs = append(errs, field.TooMany(topology, len(endpoint.DeprecatedTopology), maxTopologyLabels))
		}
		errs = append(errs, metav1validation.ValidateLabels(endpoint.DeprecatedTopology, topology)...)
		if endpoint.Hostname != nil {
			errs = append(errs, meta.DNSLabel(path.Child("hostname"), *endpoint.Hostname)...)
		}
		if endpoint.Hints != nil {
			errs = append(errs, validateHints(path.Child("hints"), endpoint.Hints)...)
		}
	}
	return errs
}

func validateAddresses(path *field.Path, addresses []string, kind discoveryv1.AddressType) field.ErrorList {
	var errs field.ErrorList
	if len(addresses) == 0 {
		errs = append(errs, field.Required(path, "must contain at least 1 address"))
	}
	if len(addresses) > maxAddresses {
		errs = append(errs, field.TooMany(path, len(addresses), maxAddresses))
	}
	for i, address := range addresses {
		switch kind {
		case discoveryv1.AddressTypeIPv4:
			errs = append(errs, validateAddress(path, i, address, meta.IP(path.Index(i), address, nil),
				netutils.IsIPv4String(address), "must be an IPv4 address")...)
		case discoveryv1.AddressTypeIPv6:
			errs = append(errs, validateAddress(path, i, address, validation.IsValidIP(path.Index(i), address),
				netutils.IsIPv6String(address), "must be an IPv6 address")...)
		case discoveryv1.AddressTypeFQDN:
			errs = append(errs, validation.IsFullyQualifiedDomainName(path.Index(i), address)...)
		}
	}
	return errs
}

func validateAddress(path *field.Path, i int, address string, malformed field.ErrorList, family bool, detail string) field.ErrorList {
	if len(malformed) > 0 {
		return malformed
	}
	var errs field.ErrorList
	if !family {
		errs = append(errs, field.Invalid(path, address, detail))
	}
	return append(errs, meta.EndpointIP(path.Index(i), address)...)
}

func validateHints(path *field.Path, hints *discoveryv1.EndpointHints) field.ErrorList {
	var zones, nodes []string
	for _, zone := range hints.ForZones {
		zones = append(zones, zone.Name)
	}
	for _, node := range hints.ForNodes {
		nodes = append(nodes, node.Name)
	}
	errs := validateHintNames(path.Child("forZones"), zones, validation.IsValidLabelValue)
	return append(errs, validateHintNames(path.Child("forNodes"), nodes, validation.IsDNS1123Subdomain)...)
}

func validateHintNames(path *field.Path, names []string, rule func(string) []string) field.ErrorList {
	if len(names) > maxHints {
		return field.ErrorList{field.TooMany(path, len(names), maxHints)}
	}
	var errs field.ErrorList
	for i, name := range names {
		at := path.Index(i).Child("name")
		if slices.Contains(names[:i], name) {
			errs = append(errs, field.Duplicate(at, name))
		}
		errs = append(errs, meta.Each(at, name, rule(name))...)
	}
	return errs
}
