package admit

import (
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/core"
)

// fillFamilies settles which address families a service has (KEP-563).
func (s *addresses) fillFamilies(service, old *corev1.Service) error {
	spec := &service.Spec
	if !core.NeedsClusterIP(service) {
		return nil
	}
	headless := spec.ClusterIP == corev1.ClusterIPNone
	everywhere := headless && len(spec.Selector) == 0 // the endpoints are the user's, of any family
	if spec.IPFamilyPolicy == nil {
		policy := corev1.IPFamilyPolicySingleStack
		switch {
		case old != nil && old.Spec.IPFamilyPolicy != nil:
			policy = *old.Spec.IPFamilyPolicy
		case everywhere:
			policy = corev1.IPFamilyPolicyRequireDualStack
		}
		spec.IPFamilyPolicy = &policy
	}
	single := *spec.IPFamilyPolicy == corev1.IPFamilyPolicySingleStack
	if old != nil {
		shrink(spec, &old.Spec, single)
	}
	if err := s.inferFamilies(service); err != nil {
		return err
	}
	if len(spec.IPFamilies) == 0 {
		spec.IPFamilies = []corev1.IPFamily{familyOf(s.ranges[0].Addr())}
	}
	if everywhere {
		if !single && len(spec.IPFamilies) == 1 {
			spec.IPFamilies = append(spec.IPFamilies, otherFamily(spec.IPFamilies[0]))
		}
		return nil
	}
	if err := s.checkFamilies(service); err != nil {
		return err
	}
	if !single && len(spec.IPFamilies) == 1 && len(s.ranges) == 2 {
		spec.IPFamilies = append(spec.IPFamilies, otherFamily(spec.IPFamilies[0]))
	}
	return nil
}

func otherFamily(family corev1.IPFamily) corev1.IPFamily {
	if family == corev1.IPv4Protocol {
		return corev1.IPv6Protocol
	}
	return corev1.IPv4Protocol
}

// shrink drops the second family of a service that is to have one only, and did not say so in every field.
func shrink(spec, before *corev1.ServiceSpec, single bool) {
	if !single {
		return
	}
	if len(spec.ClusterIPs) > 1 && len(before.ClusterIPs) == len(spec.ClusterIPs) && before.ClusterIPs[1] == spec.ClusterIPs[1] {
		spec.ClusterIPs = spec.ClusterIPs[:1]
	}
	if len(spec.IPFamilies) > 1 && len(before.IPFamilies) == len(spec.IPFamilies) && before.IPFamilies[1] == spec.IPFamilies[1] {
		spec.IPFamilies = spec.IPFamilies[:1]
	}
}

// inferFamilies reads the families of the addresses that the user chose.
func (s *addresses) inferFamilies(service *corev1.Service) error {
	spec := &service.Spec
	for i, text := range spec.ClusterIPs {
		ip, err := netip.ParseAddr(text)
		if err != nil || i < len(spec.IPFamilies) {
			continue
		}
		if _, ok := s.rangeOf(familyOf(ip)); !ok {
			return invalidService(service, field.Invalid(field.NewPath("spec", "clusterIPs").Index(i), spec.ClusterIPs,
				fmt.Sprintf("%s is not configured on this cluster", familyOf(ip))))
		}
		spec.IPFamilies = append(spec.IPFamilies, familyOf(ip))
	}
	return nil
}

func (s *addresses) checkFamilies(service *corev1.Service) error {
	spec := &service.Spec
	if *spec.IPFamilyPolicy == corev1.IPFamilyPolicyRequireDualStack && len(s.ranges) < 2 {
		return invalidService(service, field.Invalid(field.NewPath("spec", "ipFamilyPolicy"), *spec.IPFamilyPolicy,
			"this cluster is not configured for dual-stack services"))
	}
	for i, family := range spec.IPFamilies {
		if _, ok := s.rangeOf(family); !ok {
			return invalidService(service, field.Invalid(field.NewPath("spec", "ipFamilies").Index(i), family, "not configured on this cluster"))
		}
	}
	return nil
}
