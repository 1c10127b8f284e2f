package core

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"

	"proa/kinds/meta"
)

const onceSet = "may not change once set"

// validateClusterIPs wants clusterIP, clusterIPs, ipFamilies and ipFamilyPolicy to agree with each other.
func validateClusterIPs(service, old *corev1.Service) field.ErrorList {
	spec, path := &service.Spec, field.NewPath("spec", "clusterIPs")
	if spec.Type == corev1.ServiceTypeExternalName {
		return nil
	}
	var errs field.ErrorList
	switch {
	case spec.ClusterIP == "" && len(spec.ClusterIPs) > 0:
		errs = append(errs, field.Invalid(path, spec.ClusterIPs, "must be empty when `clusterIP` is not specified"))
	case spec.ClusterIP != "" && len(spec.ClusterIPs) == 0:
		errs = append(errs, field.Required(path, ""))
	case spec.ClusterIP != "" && spec.ClusterIPs[0] != spec.ClusterIP:
		errs = append(errs, field.Invalid(path, spec.ClusterIPs, "first value must match `clusterIP`"))
	}
	errs = append(errs, validateFamilies(spec)...)

	var before []string
	if old != nil {
		before = old.Spec.ClusterIPs
	}
	wrong := validateAddresses(path, spec.ClusterIPs, before)
	errs = append(errs, wrong...)
	if len(spec.ClusterIPs) > 2 {
		errs = append(errs, field.Invalid(path, spec.ClusterIPs, "may only hold up to 2 values"))
	}
	if len(wrong) > 0 {
		return errs // what follows would speak of addresses that are none
	}
	return append(errs, validateAddressFamilies(service, path)...)
}

func validateAddresses(path *field.Path, addresses, before []string) field.ErrorList {
	var errs field.ErrorList
	for i, address := range addresses {
		if i == 0 && address == corev1.ClusterIPNone {
			if len(addresses) > 1 {
				errs = append(errs, field.Invalid(path, addresses, "'None' must be the first and only value"))
			}
			continue
		}
		errs = append(errs, meta.IP(path.Index(i), address, before)...)
	}
	return errs
}

func validateFamilies(spec *corev1.ServiceSpec) field.ErrorList {
	var errs field.ErrorList
	seen := sets.New[corev1.IPFamily]()
	for i, family := range spec.IPFamilies {
		path := field.NewPath("spec", "ipFamilies").Index(i)
		if family != corev1.IPv4Protocol && family != corev1.IPv6Protocol {
			errs = append(errs, field.NotSupported(path, family, []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol}))
		}
		if seen.Has(family) {
			errs = append(errs, field.Duplicate(path, family))
		}
		seen.Insert(family)
	}
	if spec.IPFamilyPolicy == nil {
		return errs
	}
	switch *spec.IPFamilyPolicy {
	case corev1.IPFamilyPolicySingleStack, corev1.IPFamilyPolicyPreferDualStack, corev1.IPFamilyPolicyRequireDualStack:
		return errs
	}
	return append(errs, field.NotSupported(field.NewPath("spec", "ipFamilyPolicy"), *spec.IPFamilyPolicy, []corev1.IPFamilyPolicy{
		corev1.IPFamilyPolicyPreferDualStack, corev1.IPFamilyPolicyRequireDualStack, corev1.IPFamilyPolicySingleStack,
	}))
}

func validateAddressFamilies(service *corev1.Service, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	addresses, families := service.Spec.ClusterIPs, service.Spec.IPFamilies
	if len(addresses) > 1 {
		dualStack, err := netutils.IsDualStackIPStrings(addresses)
		if err != nil {
			errs = append(errs, field.InternalError(path, fmt.Errorf("failed to check for dual stack with error:%w", err)))
		}
		if !dualStack {
			errs = append(errs, field.Invalid(path, addresses, "may specify no more than one IP for each IP family"))
		}
	}
	if isHeadless(service) {
		return errs
	}
	for i := range min(len(addresses), len(families)) {
		if is6 := netutils.IsIPv6String(addresses[i]); is6 && families[i] == corev1.IPv4Protocol || !is6 && families[i] == corev1.IPv6Protocol {
			errs = append(errs, field.Invalid(path.Index(i), addresses[i],
				fmt.Sprintf("expected an %s value as indicated by `ipFamilies[%v]`", families[i], i)))
		}
	}
	return errs
}

func validateServiceUpdate(service, old *corev1.Service) field.ErrorList {
	var errs field.ErrorList
	if NeedsClusterIP(service) && NeedsClusterIP(old) {
		if !isHeadless(service) || !isHeadless(old) {
			errs = append(errs, validateAddressChange(service, old)...)
		}
		if !isHeadless(service) && !isHeadless(old) {
			errs = append(errs, validateFamilyChange(service, old)...)
		}
	}
	now, before := &service.Spec, &old.Spec
	path := field.NewPath("spec")
	if now.Type == corev1.ServiceTypeLoadBalancer && before.Type == now.Type {
		class, had := now.LoadBalancerClass, before.LoadBalancerClass
		if (class == nil) != (had == nil) || class != nil && *class != *had {
			errs = append(errs, field.Invalid(path.Child("loadBalancerClass"), class, onceSet))
		}
	}
	errs = append(errs, validateBalancerClass(service)...) // upstream looks at it among the changes too
	if NeedsHealthCheckNodePort(old) && NeedsHealthCheckNodePort(service) && now.HealthCheckNodePort != before.HealthCheckNodePort {
		errs = append(errs, field.Forbidden(path.Child("healthCheckNodePort"), "field is immutable"))
	}
	return meta.Distinct(append(errs, validateService(service, old)...))
}

// validateAddressChange: a second address may come and go, the first one stays.
func validateAddressChange(service, old *corev1.Service) field.ErrorList {
	var errs field.ErrorList
	now, before := service.Spec.ClusterIPs, old.Spec.ClusterIPs
	path := field.NewPath("spec", "clusterIPs")
	if len(now) == len(before) {
		for i := range before {
			if now[i] != before[i] {
				errs = append(errs, field.Invalid(path.Index(i), now, onceSet))
			}
		}
		return errs
	}
	if len(now) == 0 {
		return append(errs, field.Invalid(path.Index(0), now, "primary clusterIP can not be unset"))
	}
	if len(before) > 0 && now[0] != before[0] {
		errs = append(errs, field.Invalid(path.Index(0), now, onceSet))
	}
	if len(now) == 1 && len(before) > 1 && !singleStack(service) {
		errs = append(errs, field.Invalid(field.NewPath("spec", "ipFamilyPolicy"), service.Spec.IPFamilyPolicy,
			"must be set to 'SingleStack' when releasing the secondary clusterIP"))
	}
	return errs
}

// validateFamilyChange is validateAddressChange for the families.
func validateFamilyChange(service, old *corev1.Service) field.ErrorList {
	var errs field.ErrorList
	now, before := service.Spec.IPFamilies, old.Spec.IPFamilies
	path := field.NewPath("spec", "ipFamilies").Index(0)
	if len(now) == len(before) {
		for i := range before {
			if now[i] != before[i] {
				errs = append(errs, field.Invalid(path, now, onceSet))
			}
		}
		return errs
	}
	if len(now) < len(before) && len(service.Spec.ClusterIPs) == 0 {
		errs = append(errs, field.Invalid(path, now, "primary ipFamily can not be unset"))
	}
	if len(now) > 0 && len(before) > 0 && now[0] != before[0] {
		errs = append(errs, field.Invalid(path, service.Spec.ClusterIPs, onceSet))
	}
	if len(now) == 1 && len(before) > 1 && !singleStack(service) {
		errs = append(errs, field.Invalid(field.NewPath("spec", "ipFamilyPolicy"), service.Spec.IPFamilyPolicy,
			"must be set to 'SingleStack' when releasing the secondary ipFamily"))
	}
	return errs
}

func singleStack(service *corev1.Service) bool {
	return service.Spec.IPFamilyPolicy != nil && *service.Spec.IPFamilyPolicy == corev1.IPFamilyPolicySingleStack
}

// serviceWarnings says what a service asks for in vain, or in an old way.
func serviceWarnings(service *corev1.Service) []string {
	var warnings []string
	spec, path := &service.Spec, field.NewPath("spec")
	if _, ok := service.Annotations[corev1.DeprecatedAnnotationTopologyAwareHints]; ok {
		warnings = append(warnings, fmt.Sprintf("annotation %s is deprecated, please use %s instead",
			corev1.DeprecatedAnnotationTopologyAwareHints, corev1.AnnotationTopologyMode))
	}
	headless := spec.Type == corev1.ServiceTypeClusterIP && spec.ClusterIP == corev1.ClusterIPNone
	if headless {
		warnings = append(warnings, headlessWarnings(spec)...)
	} else {
		for i, ip := range spec.ClusterIPs {
			warnings = append(warnings, validation.GetWarningsForIP(path.Child("clusterIPs").Index(i), ip)...)
		}
	}
	for i, ip := range spec.ExternalIPs {
		warnings = append(warnings, validation.GetWarningsForIP(path.Child("externalIPs").Index(i), ip)...)
	}
	if len(spec.ExternalIPs) > 0 && !headless && spec.Type != corev1.ServiceTypeExternalName {
		warnings = append(warnings, "spec.externalIPs is deprecated and may no longer be implemented in some clusters")
	}
	if spec.LoadBalancerIP != "" {
		warnings = append(warnings, validation.GetWarningsForIP(path.Child("loadBalancerIP"), spec.LoadBalancerIP)...)
	}
	for i, cidr := range spec.LoadBalancerSourceRanges {
		warnings = append(warnings, validation.GetWarningsForCIDR(path.Child("loadBalancerSourceRanges").Index(i), cidr)...)
	}
	if spec.Type == corev1.ServiceTypeExternalName && len(spec.ExternalIPs) > 0 {
		warnings = append(warnings, `spec.externalIPs is ignored when spec.type is "ExternalName"`)
	}
	if spec.Type != corev1.ServiceTypeExternalName && spec.ExternalName != "" {
		warnings = append(warnings, `spec.externalName is ignored when spec.type is not "ExternalName"`)
	}
	if spec.TrafficDistribution != nil && *spec.TrafficDistribution == corev1.ServiceTrafficDistributionPreferClose {
		warnings = append(warnings, `spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"`)
	}
	return warnings
}

func headlessWarnings(spec *corev1.ServiceSpec) []string {
	var warnings []string
	if spec.LoadBalancerIP != "" {
		warnings = append(warnings, "spec.loadBalancerIP is ignored for headless services")
	}
	if len(spec.ExternalIPs) > 0 {
		warnings = append(warnings, "spec.externalIPs is ignored for headless services")
	}
	if spec.SessionAffinity != corev1.ServiceAffinityNone {
		warnings = append(warnings, "spec.SessionAffinity is ignored for headless services")
	}
	return warnings
}
