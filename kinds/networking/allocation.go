package networking

import (
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// DefaultServiceCIDR names the ranges that the cluster was set up with.
	DefaultServiceCIDR = "kubernetes"
	// AddressManager is who keeps the objects of Services' addresses, as their label says.
	AddressManager = "ipallocator.k8s.io"
)

// ServiceAddress is the object that says that an address is a Service's.
func ServiceAddress(namespace, name string, ip netip.Addr) *networkingv1.IPAddress {
	family := corev1.IPv6Protocol
	if ip.Unmap().Is4() {
		family = corev1.IPv4Protocol
	}
	return &networkingv1.IPAddress{
		ObjectMeta: metav1.ObjectMeta{Name: ip.String(), Labels: map[string]string{
			networkingv1.LabelIPAddressFamily: string(family), networkingv1.LabelManagedBy: AddressManager}},
		Spec: networkingv1.IPAddressSpec{ParentRef: &networkingv1.ParentReference{Resource: "services", Namespace: namespace, Name: name}},
	}
}

// ServiceOf names the Service whose address the object is, if it is one's.
func ServiceOf(a *networkingv1.IPAddress) (namespace, name string, ok bool) {
	p := a.Spec.ParentRef
	if p == nil || p.Group != "" || p.Resource != "services" {
		return "", "", false
	}
	return p.Namespace, p.Name, true
}

// GivesAddresses says whether Services may get addresses from the ranges: they are ready and stay. The cluster's own are,
// unless somebody says otherwise.
func GivesAddresses(c *networkingv1.ServiceCIDR) bool {
	if c.DeletionTimestamp != nil {
		return false
	}
	ready := apimeta.FindStatusCondition(c.Status.Conditions, networkingv1.ServiceCIDRConditionReady)
	if ready == nil {
		return c.Name == DefaultServiceCIDR
	}
	return ready.Status == metav1.ConditionTrue
}

// Ranges are the address ranges of an object, which were validated when it was written.
func Ranges(c *networkingv1.ServiceCIDR) []netip.Prefix {
	var ranges []netip.Prefix
	for _, text := range c.Spec.CIDRs {
		if prefix, err := netip.ParsePrefix(text); err == nil {
			ranges = append(ranges, prefix)
		}
	}
	return ranges
}
