package core

import (
	"fmt"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"

	"proa/kinds/meta"
)

// nodeDeclaredFeature: UpperCamelCase, then parts of it behind slashes (KEP-5328).
const nodeDeclaredFeature = `^[A-Z][a-zA-Z0-9]*(/[a-zA-Z][a-zA-Z0-9]*)*$`

func validateNode(node *corev1.Node) field.ErrorList {
	errs := validateTaints(field.NewPath("metadata", "taints"), node.Spec.Taints)
	errs = append(errs, validateNodeQuantities(node)...)
	if swap := node.Status.NodeInfo.Swap; swap != nil && swap.Capacity != nil && *swap.Capacity <= 0 {
		errs = append(errs, field.Invalid(field.NewPath("metadata", "nodeSwapStatus", "capacity"), *swap.Capacity, "must be greater than zero"))
	}
	errs = append(errs, validateDeclaredFeatures(node.Status.DeclaredFeatures)...)
	return append(errs, validatePodCIDRs(node.Spec.PodCIDRs)...)
}

func validatePodCIDRs(cidrs []string) field.ErrorList {
	var errs field.ErrorList
	path := field.NewPath("spec", "podCIDRs")
	for i, cidr := range cidrs {
		errs = append(errs, meta.CIDR(path.Index(i), cidr, nil)...)
	}
	if len(cidrs) < 2 {
		return errs
	}
	dualStack, err := netutils.IsDualStackCIDRStrings(cidrs)
	if err != nil {
		errs = append(errs, field.InternalError(path, fmt.Errorf("invalid PodCIDRs. failed to check with dual stack with error:%w", err)))
	}
	if !dualStack || len(cidrs) > 2 {
		errs = append(errs, field.Invalid(path, cidrs, "may specify no more than one CIDR for each IP family"))
	}
	return errs
}

func validateTaints(path *field.Path, taints []corev1.Taint) field.ErrorList {
	type identity struct {
		key    string
		effect corev1.TaintEffect
	}
	var errs field.ErrorList
	seen := map[identity]bool{}
	for i, taint := range taints {
		at := path.Index(i)
		errs = append(errs, metav1validation.ValidateLabelName(taint.Key, at.Child("key"))...)
		if messages := validation.IsValidLabelValue(taint.Value); len(messages) > 0 {
			errs = append(errs, field.Invalid(at.Child("value"), taint.Value, strings.Join(messages, ";")))
		}
		errs = append(errs, validateTaintEffect(at.Child("effect"), taint.Effect)...)
		id := identity{taint.Key, taint.Effect}
		if seen[id] {
			twice := field.Duplicate(at, meta.Internal(taint))
			twice.Detail = "taints must be unique by key and effect pair"
			errs = append(errs, twice)
		}
		seen[id] = true
	}
	return errs
}

func validateTaintEffect(path *field.Path, effect corev1.TaintEffect) field.ErrorList {
	switch effect {
	case "":
		return field.ErrorList{field.Required(path, "")}
	case corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute:
		return nil
	}
	return field.ErrorList{field.NotSupported(path, effect, []corev1.TaintEffect{
		corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute,
	})}
}

func validateNodeQuantities(node *corev1.Node) field.ErrorList {
	var errs field.ErrorList
	check := func(name string, list map[corev1.ResourceName]resource.Quantity) {
		for _, key := range meta.Sorted(list) {
			errs = append(errs, meta.Quantity(field.NewPath("status", name, string(key)), key, list[key])...)
		}
	}
	check("capacity", node.Status.Capacity)
	check("allocatable", node.Status.Allocatable)
	return errs
}

func validateDeclaredFeatures(features []string) field.ErrorList {
	var errs field.ErrorList
	path := field.NewPath("status", "declaredFeatures")
	if len(features) == 0 {
		return nil
	}
	valid := regexp.MustCompile(nodeDeclaredFeature)
	for i, feature := range features {
		if len(feature) > validation.DNS1123SubdomainMaxLength {
			errs = append(errs, field.Invalid(path.Index(i), feature,
				fmt.Sprintf("invalid feature name %q: must be no more than %d characters", feature, validation.DNS1123SubdomainMaxLength)))
		} else if !valid.MatchString(feature) {
			errs = append(errs, field.Invalid(path.Index(i), feature, fmt.Sprintf("invalid feature name %q: must start with an "+
				"UpperCamelCase segment, with subsequent segments separated by '/' (e.g., MyFeature or MyFeature/mySubFeature), "+
				"and contain only alphanumeric characters and slashes", feature)))
		}
		if i == 0 {
			continue
		}
		if feature == features[i-1] {
			errs = append(errs, field.Duplicate(path.Index(i), feature))
		} else if feature < features[i-1] {
			errs = append(errs, field.Invalid(path.Index(i), feature, "list must be sorted alphabetically"))
		}
	}
	return errs
}

func validateNodeUpdate(node, old *corev1.Node) field.ErrorList {
	return meta.Distinct(append(validateNode(node), validateNodeChange(node, old)...))
}

// validateNodeChange holds for an update through either door.
func validateNodeChange(node, old *corev1.Node) field.ErrorList {
	errs := validateNodeQuantities(node)
	errs = append(errs, validateDeclaredFeatures(node.Status.DeclaredFeatures)...)
	seen := map[corev1.NodeAddress]bool{}
	for i, address := range node.Status.Addresses {
		if seen[address] {
			errs = append(errs, field.Duplicate(field.NewPath("status", "addresses").Index(i), meta.Internal(address)))
		}
		seen[address] = true
	}
	spec := field.NewPath("spec")
	if len(old.Spec.PodCIDRs) > 0 && strings.Join(old.Spec.PodCIDRs, ",") != strings.Join(node.Spec.PodCIDRs, ",") {
		errs = append(errs, field.Forbidden(spec.Child("podCIDRs"), "node updates may not change podCIDR except from \"\" to valid"))
	}
	if old.Spec.ProviderID != "" && old.Spec.ProviderID != node.Spec.ProviderID {
		errs = append(errs, field.Forbidden(spec.Child("providerID"), "node updates may not change providerID except from \"\" to valid"))
	}
	errs = append(errs, validateTaints(field.NewPath("metadata", "taints"), node.Spec.Taints)...)
	if node.Spec.DoNotUseExternalID != old.Spec.DoNotUseExternalID {
		errs = append(errs, field.Forbidden(spec.Child("externalID"), "may not be updated"))
	}
	return errs
}

func nodeWarnings(node *corev1.Node) []string {
	var warnings []string
	if node.Spec.ConfigSource != nil {
		warnings = append(warnings, "spec.configSource: the feature is removed")
	}
	if node.Spec.DoNotUseExternalID != "" {
		warnings = append(warnings, "spec.externalID: this field is deprecated, and is unused by Kubernetes")
	}
	for i, cidr := range node.Spec.PodCIDRs {
		warnings = append(warnings, validation.GetWarningsForCIDR(field.NewPath("spec", "podCIDRs").Index(i), cidr)...)
	}
	return warnings
}
