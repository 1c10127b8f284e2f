package networking

import (
	"reflect"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// NetworkPolicy is the row of networkpolicies: who may talk to pods, and to whom they may.
func NetworkPolicy() *resource.Resource {
	return &resource.Resource{
		Group: networkingv1.GroupName, Version: "v1", Name: "networkpolicies", Singular: "networkpolicy", Kind: "NetworkPolicy",
		ShortNames: []string{"netpol"}, Namespaced: true,
		New:           func() resource.Object { return &networkingv1.NetworkPolicy{} },
		NewList:       func() runtime.Object { return &networkingv1.NetworkPolicyList{} },
		Default:       resource.Do(defaultPolicy),
		PrepareCreate: resource.Do(func(p *networkingv1.NetworkPolicy) { p.Generation = 1 }),
		PrepareUpdate: resource.Do2(func(p, old *networkingv1.NetworkPolicy) {
			meta.CountGeneration(p, old, !reflect.DeepEqual(p.Spec, old.Spec))
		}),
		Validate: resource.Typed(func(p *networkingv1.NetworkPolicy) field.ErrorList {
			return (&policyCheck{}).spec(&p.Spec, field.NewPath("spec"))
		}),
		ChecksNameOnce:           true,
		ValidateUpdate:           resource.Typed2(validatePolicyUpdate),
		Warnings:                 policyWarnings,
		AllowUnconditionalUpdate: true,
		Columns: []resource.Column{
			meta.Name(),
			meta.Column("Pod-Selector", networkingv1.NetworkPolicySpec{}.SwaggerDoc()["podSelector"]),
			meta.Age(),
		},
		Row: resource.Typed(func(p *networkingv1.NetworkPolicy) []any {
			return []any{p.Name, metav1.FormatLabelSelector(&p.Spec.PodSelector), meta.Since(p.CreationTimestamp)}
		}),
	}
}

func defaultPolicy(p *networkingv1.NetworkPolicy) {
	for i := range p.Spec.Ingress {
		defaultPolicyPorts(p.Spec.Ingress[i].Ports)
	}
	for i := range p.Spec.Egress {
		defaultPolicyPorts(p.Spec.Egress[i].Ports)
	}
	if len(p.Spec.PolicyTypes) > 0 {
		return
	}
	p.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
	if len(p.Spec.Egress) > 0 {
		p.Spec.PolicyTypes = append(p.Spec.PolicyTypes, networkingv1.PolicyTypeEgress)
	}
}

func defaultPolicyPorts(ports []networkingv1.NetworkPolicyPort) {
	for i := range ports {
		if ports[i].Protocol == nil {
			ports[i].Protocol = new(corev1.ProtocolTCP)
		}
	}
}

// policyCheck looks for what is wrong with a policy.
type policyCheck struct {
	selectors metav1validation.LabelSelectorValidationOptions
	ranges    []string // accepted before, and therefore still, however they are written
}

func validatePolicyUpdate(p, old *networkingv1.NetworkPolicy) field.ErrorList {
	check := &policyCheck{}
	check.selectors.AllowInvalidLabelValueInSelector =
		len(metav1validation.ValidateLabelSelector(&old.Spec.PodSelector, metav1validation.LabelSelectorValidationOptions{}, nil)) > 0
	eachBlock(&old.Spec, func(_ *field.Path, b *networkingv1.IPBlock) {
		check.ranges = append(append(check.ranges, b.CIDR), b.Except...)
	})
	return check.spec(&p.Spec, field.NewPath("spec"))
}

func (c *policyCheck) spec(s *networkingv1.NetworkPolicySpec, path *field.Path) field.ErrorList {
	errs := metav1validation.ValidateLabelSelector(&s.PodSelector, c.selectors, path.Child("podSelector"))
	for i, rule := range s.Ingress {
		at := path.Child("ingress").Index(i)
		errs = append(errs, policyPorts(rule.Ports, at.Child("ports"))...)
		errs = append(errs, c.peers(rule.From, at.Child("from"))...)
	}
	for i, rule := range s.Egress {
		at := path.Child("egress").Index(i)
		errs = append(errs, policyPorts(rule.Ports, at.Child("ports"))...)
		errs = append(errs, c.peers(rule.To, at.Child("to"))...)
	}
	types := []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}
	at := path.Child("policyTypes")
	if len(s.PolicyTypes) > len(types) {
		return append(errs, field.Invalid(at, s.PolicyTypes, "may not specify more than two policyTypes"))
	}
	for i, t := range s.PolicyTypes {
		if t != types[0] && t != types[1] {
			errs = append(errs, field.NotSupported(at.Index(i), t, types))
		}
	}
	return errs
}

func (c *policyCheck) peers(peers []networkingv1.NetworkPolicyPeer, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, peer := range peers {
		at := path.Index(i)
		if peer.PodSelector != nil {
			errs = append(errs, metav1validation.ValidateLabelSelector(peer.PodSelector, c.selectors, at.Child("podSelector"))...)
		}
		if peer.NamespaceSelector != nil {
			errs = append(errs, metav1validation.ValidateLabelSelector(peer.NamespaceSelector, c.selectors, at.Child("namespaceSelector"))...)
		}
		if peer.IPBlock != nil {
			errs = append(errs, c.block(peer.IPBlock, at.Child("ipBlock"))...)
		}
		switch selects := peer.PodSelector != nil || peer.NamespaceSelector != nil; {
		case !selects && peer.IPBlock == nil:
			errs = append(errs, field.Required(at, "must specify a peer"))
		case selects && peer.IPBlock != nil:
			errs = append(errs, field.Forbidden(at, "may not specify both ipBlock and another peer"))
		}
	}
	return errs
}

func (c *policyCheck) block(b *networkingv1.IPBlock, path *field.Path) field.ErrorList {
	if b.CIDR == "" {
		return field.ErrorList{field.Required(path.Child("cidr"), "")}
	}
	errs := meta.CIDR(path.Child("cidr"), b.CIDR, c.ranges)
	_, whole, err := netutils.ParseCIDRSloppy(b.CIDR)
	if err != nil {
		return errs // which say so
	}
	bits, _ := whole.Mask.Size()
	for i, except := range b.Except {
		at := path.Child("except").Index(i)
		errs = append(errs, meta.CIDR(at, except, c.ranges)...)
		_, part, err := netutils.ParseCIDRSloppy(except)
		if err != nil {
			continue
		}
		if partBits, _ := part.Mask.Size(); !whole.Contains(part.IP) || bits >= partBits {
			errs = append(errs, field.Invalid(at, except, "must be a strict subset of `cidr`"))
		}
	}
	return errs
}

func policyPorts(ports []networkingv1.NetworkPolicyPort, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, p := range ports {
		at := path.Index(i)
		if p.Protocol != nil && *p.Protocol != corev1.ProtocolTCP && *p.Protocol != corev1.ProtocolUDP && *p.Protocol != corev1.ProtocolSCTP {
			errs = append(errs, field.NotSupported(at.Child("protocol"), *p.Protocol, []corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP}))
		}
		end := at.Child("endPort")
		switch {
		case p.Port == nil && p.EndPort != nil:
			errs = append(errs, field.Invalid(end, *p.EndPort, "may not be specified when `port` is not specified"))
		case p.Port == nil:
		case p.Port.Type == intstr.String:
			if p.EndPort != nil {
				errs = append(errs, field.Invalid(end, *p.EndPort, "may not be specified when `port` is non-numeric"))
			}
			errs = append(errs, meta.Each(at.Child("port"), p.Port.StrVal, validation.IsValidPortName(p.Port.StrVal))...)
		default:
			errs = append(errs, meta.PortNumber(at.Child("port"), p.Port.IntVal)...)
			if p.EndPort != nil && *p.EndPort < p.Port.IntVal {
				errs = append(errs, field.Invalid(end, p.Port.IntVal, "must be greater than or equal to `port`"))
			}
			if p.EndPort != nil {
				errs = append(errs, meta.PortNumber(end, *p.EndPort)...)
			}
		}
	}
	return errs
}

// eachBlock yields the address ranges of a policy, those of ingress first.
func eachBlock(s *networkingv1.NetworkPolicySpec, yield func(*field.Path, *networkingv1.IPBlock)) {
	each := func(peers []networkingv1.NetworkPolicyPeer, path *field.Path) {
		for i := range peers {
			if b := peers[i].IPBlock; b != nil {
				yield(path.Index(i).Child("ipBlock"), b)
			}
		}
	}
	path := field.NewPath("spec")
	for i := range s.Ingress {
		each(s.Ingress[i].From, path.Child("ingress").Index(i).Child("from"))
	}
	for i := range s.Egress {
		each(s.Egress[i].To, path.Child("egress").Index(i).Child("to"))
	}
}

func policyWarnings(obj, _ resource.Object) []string {
	p, ok := obj.(*networkingv1.NetworkPolicy)
	if !ok {
		return nil
	}
	var warnings []string
	eachBlock(&p.Spec, func(path *field.Path, b *networkingv1.IPBlock) {
		warnings = append(warnings, validation.GetWarningsForCIDR(path.Child("cidr"), b.CIDR)...)
		for i, except := range b.Except {
			warnings = append(warnings, validation.GetWarningsForCIDR(path.Child("except").Index(i), except)...)
		}
	})
	return warnings
}
