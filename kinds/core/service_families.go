package core

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"
)

// DefaultFamilies fills in ipFamilyPolicy and ipFamilies of a service, as far as the client left them open, and says
// what it asks for that the cluster has not. cluster is the cluster's families, the preferred one first; old is nil for
// a new service. Whoever hands out addresses calls it after KeepAllocated and gives one address per family
// (KEP-563; a dual-stack service never changes for the cluster's sake alone).
func DefaultFamilies(service, old *corev1.Service, cluster ...corev1.IPFamily) field.ErrorList {
	if !NeedsClusterIP(service) || staysPreferDual(service, old) {
		return nil
	}
	spec := &service.Spec
	free := spec.ClusterIP == corev1.ClusterIPNone && len(spec.Selector) == 0 // somebody else makes its endpoints
	if spec.IPFamilyPolicy == nil {
		spec.IPFamilyPolicy = new(defaultPolicy(old, free))
	}
	if errs := validateClusterIPs(service, old); len(errs) > 0 {
		return errs
	}
	errs := shrinkFamilies(service, old)
	errs = append(errs, inferFamilies(spec, cluster)...)
	if len(errs) > 0 {
		return errs
	}
	dual := *spec.IPFamilyPolicy != corev1.IPFamilyPolicySingleStack
	if !free {
		if errs := unavailable(spec, cluster); len(errs) > 0 {
			return errs
		}
		dual = dual && len(cluster) == 2
	}
	if len(spec.IPFamilies) == 0 {
		spec.IPFamilies = []corev1.IPFamily{cluster[0]}
	}
	if dual && len(spec.IPFamilies) == 1 {
		spec.IPFamilies = append(spec.IPFamilies, otherFamily(spec.IPFamilies[0]))
	}
	return nil
}

// staysPreferDual: an update that touches nothing of a PreferDualStack service leaves it as it is.
func staysPreferDual(service, old *corev1.Service) bool {
	if old == nil || old.Spec.IPFamilyPolicy == nil || *old.Spec.IPFamilyPolicy != corev1.IPFamilyPolicyPreferDualStack {
		return false
	}
	now, before := &service.Spec, &old.Spec
	return now.IPFamilyPolicy != nil && *now.IPFamilyPolicy == *before.IPFamilyPolicy && now.ClusterIP == before.ClusterIP &&
		slices.Equal(now.ClusterIPs, before.ClusterIPs) && slices.Equal(now.IPFamilies, before.IPFamilies)
}

func defaultPolicy(old *corev1.Service, free bool) corev1.IPFamilyPolicy {
	if old != nil && old.Spec.IPFamilyPolicy != nil {
		return *old.Spec.IPFamilyPolicy
	}
	if free {
		return corev1.IPFamilyPolicyRequireDualStack
	}
	return corev1.IPFamilyPolicySingleStack
}

// shrinkFamilies drops the second family and address of a service that became SingleStack; without that wish, they stay.
func shrinkFamilies(service, old *corev1.Service) field.ErrorList {
	var errs field.ErrorList
	now, path := &service.Spec, field.NewPath("spec", "ipFamilyPolicy")
	single := *now.IPFamilyPolicy == corev1.IPFamilyPolicySingleStack
	if old != nil {
		before := &old.Spec
		switch {
		case single:
			if len(now.ClusterIPs) > 1 && slices.Equal(now.ClusterIPs, before.ClusterIPs) {
				now.ClusterIPs = now.ClusterIPs[:1:1]
			}
			if len(now.IPFamilies) > 1 && slices.Equal(now.IPFamilies, before.IPFamilies) {
				now.IPFamilies = now.IPFamilies[:1:1]
			}
		case len(now.ClusterIPs) == 1 && len(before.ClusterIPs) == 2 && now.ClusterIPs[0] == before.ClusterIPs[0]:
			errs = append(errs, field.Invalid(path, now.IPFamilyPolicy, "must be 'SingleStack' to release the secondary cluster IP"))
		case len(now.IPFamilies) == 1 && len(before.IPFamilies) == 2 && now.IPFamilies[0] == before.IPFamilies[0]:
			errs = append(errs, field.Invalid(path, now.IPFamilyPolicy, "must be 'SingleStack' to release the secondary IP family"))
		}
	}
	if single && len(now.ClusterIPs) == 2 {
		errs = append(errs, field.Invalid(path, now.IPFamilyPolicy,
			"must be 'RequireDualStack' or 'PreferDualStack' when multiple cluster IPs are specified"))
	}
	if single && len(now.IPFamilies) == 2 {
		errs = append(errs, field.Invalid(path, now.IPFamilyPolicy,
			"must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified"))
	}
	return errs
}

// inferFamilies reads the families that were not given off the addresses that were.
func inferFamilies(spec *corev1.ServiceSpec, cluster []corev1.IPFamily) field.ErrorList {
	var errs field.ErrorList
	for i, ip := range spec.ClusterIPs {
		if ip == corev1.ClusterIPNone || i < len(spec.IPFamilies) {
			continue
		}
		family := corev1.IPv4Protocol
		if netutils.IsIPv6String(ip) {
			family = corev1.IPv6Protocol
		}
		if !slices.Contains(cluster, family) {
			errs = append(errs, field.Invalid(field.NewPath("spec", "clusterIPs").Index(i), spec.ClusterIPs,
				fmt.Sprintf("%s is not configured on this cluster", family)))
			continue
		}
		spec.IPFamilies = append(slices.Clip(spec.IPFamilies), family)
	}
	return errs
}

func unavailable(spec *corev1.ServiceSpec, cluster []corev1.IPFamily) field.ErrorList {
	var errs field.ErrorList
	if *spec.IPFamilyPolicy == corev1.IPFamilyPolicyRequireDualStack && len(cluster) < 2 {
		errs = append(errs, field.Invalid(field.NewPath("spec", "ipFamilyPolicy"), spec.IPFamilyPolicy,
			"this cluster is not configured for dual-stack services"))
	}
	for i, family := range spec.IPFamilies {
		if !slices.Contains(cluster, family) {
			errs = append(errs, field.Invalid(field.NewPath("spec", "ipFamilies").Index(i), family, "not configured on this cluster"))
		}
	}
	return errs
}

func otherFamily(family corev1.IPFamily) corev1.IPFamily {
	if family == corev1.IPv4Protocol {
		return corev1.IPv6Protocol
	}
	return corev1.IPv4Protocol
}
