package meta

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"
)

// Each refuses value for every message that rule finds.
func Each[T any](path *field.Path, value T, messages []string) field.ErrorList {
	var errs field.ErrorList
	for _, message := range messages {
		errs = append(errs, field.Invalid(path, value, message))
	}
	return errs
}

// DNSLabel wants a DNS label: a hostname, a port's name.
func DNSLabel(path *field.Path, value string) field.ErrorList {
	return Each(path, value, validation.IsDNS1123Label(value))
}

// QualifiedName wants a name with an optional domain before it: "example.com/name".
func QualifiedName(path *field.Path, value string) field.ErrorList {
	return Each(path, value, validation.IsQualifiedName(value))
}

// PortNumber wants 1 to 65535.
func PortNumber(path *field.Path, value int32) field.ErrorList {
	return Each(path, value, validation.IsValidPortNum(int(value)))
}

// PortNumberOrName wants a port's number, or the name that a container gives it.
func PortNumberOrName(path *field.Path, port intstr.IntOrString) field.ErrorList {
	if port.Type == intstr.String {
		return Each(path, port.StrVal, validation.IsValidPortName(port.StrVal))
	}
	return Each(path, port.IntValue(), validation.IsValidPortNum(port.IntValue()))
}

// IP wants an address in canonical form; what was accepted before, in old, stays accepted.
func IP(path *field.Path, value string, old []string) field.ErrorList {
	return validation.IsValidIPForLegacyField(path, value, true, old)
}

// CIDR wants an address range in canonical form; what was accepted before, in old, stays accepted.
func CIDR(path *field.Path, value string, old []string) field.ErrorList {
	return validation.IsValidCIDRForLegacyField(path, value, true, old)
}

// IPWarnings are hints on an address that is taken, but not written as it should be.
func IPWarnings(path *field.Path, value string) []string {
	if value == "" {
		return nil
	}
	return validation.GetWarningsForIP(path, value)
}

// EndpointIP refuses addresses that traffic for a service must never be sent to, such as the node's own loopback.
func EndpointIP(path *field.Path, value string) field.ErrorList {
	ip := netutils.ParseIPSloppy(value)
	if ip == nil {
		return field.ErrorList{field.Invalid(path, value, "must be a valid IP address")}
	}
	var errs field.ErrorList
	if ip.IsUnspecified() {
		errs = append(errs, field.Invalid(path, value, fmt.Sprintf("may not be unspecified (%v)", value)))
	}
	if ip.IsLoopback() {
		errs = append(errs, field.Invalid(path, value, "may not be in the loopback range (127.0.0.0/8, ::1/128)"))
	}
	if ip.IsLinkLocalUnicast() {
		errs = append(errs, field.Invalid(path, value, "may not be in the link-local range (169.254.0.0/16, fe80::/10)"))
	}
	if ip.IsLinkLocalMulticast() {
		errs = append(errs, field.Invalid(path, value, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"))
	}
	return errs
}

// Protocol wants one of the protocols that services and containers know.
func Protocol(path *field.Path, value corev1.Protocol) field.ErrorList {
	switch value {
	case "":
		return field.ErrorList{field.Required(path, "")}
	case corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP:
		return nil
	}
	return field.ErrorList{field.NotSupported(path, value, []corev1.Protocol{corev1.ProtocolSCTP, corev1.ProtocolTCP, corev1.ProtocolUDP})}
}

// DomainPrefixedPath wants a domain and a path: "example.com/controller".
func DomainPrefixedPath(path *field.Path, value string) field.ErrorList {
	return validation.IsDomainPrefixedPath(path, value)
}
