package networking

import (
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// ServiceCIDR is the row of servicecidrs: ranges from which Services get their addresses.
func ServiceCIDR() *resource.Resource {
	return &resource.Resource{
		Group: networkingv1.GroupName, Version: "v1", Name: "servicecidrs", Singular: "servicecidr", Kind: "ServiceCIDR",
		New:           func() resource.Object { return &networkingv1.ServiceCIDR{} },
		NewList:       func() runtime.Object { return &networkingv1.ServiceCIDRList{} },
		PrepareCreate: resource.Do(func(c *networkingv1.ServiceCIDR) { c.Status = networkingv1.ServiceCIDRStatus{} }),
		PrepareUpdate: resource.Do2(func(c, old *networkingv1.ServiceCIDR) { c.Status = *old.Status.DeepCopy() }),
		Validate: resource.Typed(func(c *networkingv1.ServiceCIDR) field.ErrorList {
			return validateRanges(&c.Spec, field.NewPath("spec", "cidrs"))
		}),
		ChecksNameOnce: true,
		ValidateUpdate: resource.Typed2(validateRangesUpdate),
		Reset:          map[string][]string{"status": {"metadata", "spec"}},
		Status: &resource.Subresource{
			Name: "status", Verbs: []string{"get", "patch", "update"},
			PrepareUpdate: resource.Do2(func(c, old *networkingv1.ServiceCIDR) {
				c.Spec = *old.Spec.DeepCopy()
				metav1.ResetObjectMetaForStatus(c, old.DeepCopy())
			}),
		},
		AllowUnconditionalUpdate: true,
		Columns: []resource.Column{
			meta.Name(),
			meta.Column("CIDRs", networkingv1.ServiceCIDRSpec{}.SwaggerDoc()["cidrs"]),
			meta.Age(),
		},
		Row: resource.Typed(func(c *networkingv1.ServiceCIDR) []any {
			return []any{c.Name, strings.Join(c.Spec.CIDRs, ","), meta.Since(c.CreationTimestamp)}
		}),
	}
}

func validateRanges(s *networkingv1.ServiceCIDRSpec, path *field.Path) field.ErrorList {
	switch {
	case len(s.CIDRs) == 0:
		return field.ErrorList{field.Required(path, "at least one CIDR required")}
	case len(s.CIDRs) > 2:
		return field.ErrorList{field.Invalid(path, meta.Internal(s), "may only hold up to 2 values")}
	}
	var errs field.ErrorList
	for i, cidr := range s.CIDRs {
		errs = append(errs, utilvalidation.IsValidCIDR(path.Index(i), cidr)...)
	}
	if len(s.CIDRs) == 2 {
		family := netutils.IPFamilyOfCIDRString(s.CIDRs[0])
		if family != netutils.IPFamilyUnknown && family == netutils.IPFamilyOfCIDRString(s.CIDRs[1]) {
			errs = append(errs, field.Invalid(path, s.CIDRs, "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"))
		}
	}
	return errs
}

// validateRangesUpdate lets a cluster get a second address family, and nothing else change.
func validateRangesUpdate(c, old *networkingv1.ServiceCIDR) field.ErrorList {
	path, now, before := field.NewPath("spec", "cidrs"), c.Spec.CIDRs, old.Spec.CIDRs
	second := len(before) == 1 && len(now) == 2
	if len(now) != len(before) && !second {
		return field.ErrorList{field.Invalid(path, now, validation.FieldImmutableErrorMsg)}
	}
	var errs field.ErrorList
	for i, cidr := range before {
		if now[i] != cidr {
			errs = append(errs, field.Invalid(path.Index(i), now[i], validation.FieldImmutableErrorMsg))
		}
	}
	if second {
		errs = append(errs, validateRanges(&c.Spec, path)...)
	}
	return errs
}
