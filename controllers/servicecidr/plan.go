package servicecidr

import (
	"net/netip"
	"slices"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/kinds/networking"
)

// finalizer keeps an object while addresses are of its ranges.
const finalizer = "networking.k8s.io/service-cidr-finalizer"

// grace is how long after the deletion of an object a Service may still get an address of it: one whose request was under way.
const grace = 10 * time.Second

// plan is what to do with an object.
type plan struct {
	finalizer bool              // whether it shall be kept
	condition *metav1.Condition // what to say, nil for nothing
	after     time.Duration     // when to look again
}

func planFor(c *networkingv1.ServiceCIDR, all []*networkingv1.ServiceCIDR, addresses func(func(*networkingv1.IPAddress) bool), now time.Time) plan {
	ready := &metav1.Condition{Type: networkingv1.ServiceCIDRConditionReady, Status: metav1.ConditionTrue,
		Message: "Kubernetes Service CIDR is ready", LastTransitionTime: metav1.NewTime(now)}
	if c.DeletionTimestamp == nil {
		return plan{finalizer: true, condition: ready}
	}
	if orphans(c, all, addresses) {
		ready.Status, ready.Reason = metav1.ConditionFalse, networkingv1.ServiceCIDRReasonTerminating
		ready.Message = "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR"
		return plan{finalizer: true, condition: ready}
	}
	if wait := grace - now.Sub(c.DeletionTimestamp.Time); wait > 0 {
		return plan{finalizer: true, after: wait}
	}
	return plan{}
}

// orphans says whether an address would be of no range any more without the object.
func orphans(c *networkingv1.ServiceCIDR, all []*networkingv1.ServiceCIDR, addresses func(func(*networkingv1.IPAddress) bool)) bool {
	var others []netip.Prefix
	for _, other := range all {
		if other.Name != c.Name {
			others = append(others, networking.Ranges(other)...)
		}
	}
	mine := networking.Ranges(c)
	if !slices.ContainsFunc(mine, func(p netip.Prefix) bool { return !within(p, others) }) {
		return false
	}
	for a := range addresses {
		ip, err := netip.ParseAddr(a.Name)
		if err != nil || a.Labels[networkingv1.LabelManagedBy] != networking.AddressManager {
			continue
		}
		holds := func(p netip.Prefix) bool { return p.Contains(ip) }
		if slices.ContainsFunc(mine, holds) && !slices.ContainsFunc(others, holds) {
			return true
		}
	}
	return false
}

// within says whether all of a range is in one of others.
func within(p netip.Prefix, others []netip.Prefix) bool {
	return slices.ContainsFunc(others, func(o netip.Prefix) bool { return o.Bits() <= p.Bits() && o.Contains(p.Addr()) })
}
