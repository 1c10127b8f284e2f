// Package networking holds the rules of Ingress and IngressClass: what it refuses, what kubectl shows.
//
// It decides and does nothing on its own: every function is pure and is called through the row of its kind, by the API
// server for each write and by whoever prints a table. It needs nothing that could be gone.
package networking

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/api/validation/path"
	"k8s.io/apimachinery/pkg/runtime"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// ClassAnnotation named the class of an ingress before there was a field.
const ClassAnnotation = "kubernetes.io/ingress.class"

// Ingress is the row of ingresses.
func Ingress() *resource.Resource {
	return &resource.Resource{
		Group: networkingv1.GroupName, Version: "v1", Name: "ingresses", Singular: "ingress", Kind: "Ingress", ShortNames: []string{"ing"}, Namespaced: true,
		New:           func() resource.Object { return &networkingv1.Ingress{} },
		NewList:       func() runtime.Object { return &networkingv1.IngressList{} },
		PrepareCreate: resource.Do(func(i *networkingv1.Ingress) { i.Status, i.Generation = networkingv1.IngressStatus{}, 1 }),
		PrepareUpdate: resource.Do2(func(i, old *networkingv1.Ingress) {
			i.Status = *old.Status.DeepCopy()
			meta.CountGeneration(i, old, !equality.Semantic.DeepEqual(i.Spec, old.Spec))
		}),
		Validate:                 resource.Typed(validateIngress),
		NameLast:                 true,
		ValidateUpdate:           resource.Typed2(func(i, _ *networkingv1.Ingress) field.ErrorList { return validateSpec(&i.Spec, field.NewPath("spec")) }),
		Warnings:                 ingressWarnings,
		AllowUnconditionalUpdate: true,
		Status: &resource.Subresource{
			Name: "status",
			PrepareUpdate: resource.Do2(func(i, old *networkingv1.Ingress) {
				i.Spec, i.Generation = *old.Spec.DeepCopy(), old.Generation
			}),
			ValidateUpdate: resource.Typed2(validateStatus),
			Warnings: func(obj, _ resource.Object) []string {
				var list []string
				for n, point := range obj.(*networkingv1.Ingress).Status.LoadBalancer.Ingress {
					list = append(list, meta.IPWarnings(field.NewPath("status", "loadBalancer", "ingress").Index(n), point.IP)...)
				}
				return list
			},
		},
		Columns: []resource.Column{
			meta.Name(),
			meta.Column("Class", "The name of the IngressClass resource that should be used for additional configuration"),
			meta.Column("Hosts", "Hosts that incoming requests are matched against before the ingress rule"),
			meta.Column("Address", "Address is a list containing ingress points for the load-balancer"),
			meta.Column("Ports", "Ports of TLS configurations that open"),
			meta.Age(),
		},
		Row: resource.Typed(ingressRow),
	}
}

func validateIngress(i *networkingv1.Ingress) field.ErrorList {
	errs := validateSpec(&i.Spec, field.NewPath("spec"))
	if annotation, set := i.Annotations[ClassAnnotation]; set && i.Spec.IngressClassName != nil && annotation != *i.Spec.IngressClassName {
		errs = append(errs, field.Invalid(field.NewPath("annotations").Child(ClassAnnotation), annotation, "must match `ingressClassName` when both are specified"))
	}
	return errs
}

func validateSpec(s *networkingv1.IngressSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if len(s.Rules) == 0 && s.DefaultBackend == nil {
		errs = append(errs, field.Invalid(path, s.Rules, "either `defaultBackend` or `rules` must be specified"))
	}
	if s.DefaultBackend != nil {
		errs = append(errs, validateBackend(s.DefaultBackend, path.Child("defaultBackend"))...)
	}
	for i := range s.Rules {
		errs = append(errs, validateRule(&s.Rules[i], path.Child("rules").Index(i))...)
	}
	for i := range s.TLS {
		errs = append(errs, validateTLS(&s.TLS[i], path.Child("tls").Index(i))...)
	}
	if name := s.IngressClassName; name != nil {
		errs = append(errs, meta.Each(path.Child("ingressClassName"), *name, validation.NameIsDNSSubdomain(*name, false))...)
	}
	return errs
}

func validateHost(host string, path *field.Path) field.ErrorList {
	if strings.Contains(host, "*") {
		return meta.Each(path, host, utilvalidation.IsWildcardDNS1123Subdomain(host))
	}
	return meta.Each(path, host, utilvalidation.IsDNS1123Subdomain(host))
}

func validateRule(r *networkingv1.IngressRule, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if r.Host != "" {
		if _, err := netip.ParseAddr(r.Host); err == nil {
			errs = append(errs, field.Invalid(path.Child("host"), r.Host, "must be a DNS name, not an IP address"))
		}
		errs = append(errs, validateHost(r.Host, path.Child("host"))...)
	}
	if r.HTTP == nil {
		return errs
	}
	paths := path.Child("http", "paths")
	if len(r.HTTP.Paths) == 0 {
		errs = append(errs, field.Required(paths, ""))
	}
	for i := range r.HTTP.Paths {
		errs = append(errs, validatePath(&r.HTTP.Paths[i], paths.Index(i))...)
	}
	return errs
}

func validateTLS(t *networkingv1.IngressTLS, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, host := range t.Hosts {
		errs = append(errs, validateHost(host, path.Child("hosts").Index(i))...)
	}
	if t.SecretName != "" {
		errs = append(errs, meta.Each(path.Child("secretName"), t.SecretName, validation.NameIsDNSSubdomain(t.SecretName, false))...)
	}
	return errs
}

// What a path may not hold: a client could mean another one by it.
var (
	badSequences = []string{"//", "/./", "/../", "%2f", "%2F"}
	badSuffixes  = []string{"/..", "/."}
)

func validatePath(p *networkingv1.HTTPIngressPath, at *field.Path) field.ErrorList {
	if p.PathType == nil {
		return field.ErrorList{field.Required(at.Child("pathType"), "pathType must be specified")}
	}
	var errs field.ErrorList
	relative := !strings.HasPrefix(p.Path, "/")
	switch *p.PathType {
	case networkingv1.PathTypeExact, networkingv1.PathTypePrefix:
		if relative {
			errs = append(errs, field.Invalid(at.Child("path"), p.Path, "must be an absolute path"))
		}
		for _, bad := range badSequences {
			if strings.Contains(p.Path, bad) {
				errs = append(errs, field.Invalid(at.Child("path"), p.Path, fmt.Sprintf("must not contain '%s'", bad)))
			}
		}
		for _, bad := range badSuffixes {
			if strings.HasSuffix(p.Path, bad) {
				errs = append(errs, field.Invalid(at.Child("path"), p.Path, fmt.Sprintf("cannot end with '%s'", bad)))
			}
		}
	case networkingv1.PathTypeImplementationSpecific:
		if p.Path != "" && relative {
			errs = append(errs, field.Invalid(at.Child("path"), p.Path, "must be an absolute path"))
		}
	default:
		errs = append(errs, field.NotSupported(at.Child("pathType"), *p.PathType,
			[]networkingv1.PathType{networkingv1.PathTypeExact, networkingv1.PathTypeImplementationSpecific, networkingv1.PathTypePrefix}))
	}
	return append(errs, validateBackend(&p.Backend, at.Child("backend"))...)
}

func validateBackend(b *networkingv1.IngressBackend, at *field.Path) field.ErrorList {
	switch {
	case b.Resource != nil && b.Service != nil:
		return field.ErrorList{field.Invalid(at, "", "cannot set both resource and service backends")}
	case b.Resource != nil:
		r := at.Child("resource")
		return validateReference(b.Resource.APIGroup, b.Resource.Kind, b.Resource.Name, r)
	case b.Service == nil:
		return field.ErrorList{field.Invalid(at, "", "resource or service backend is required")}
	}
	var errs field.ErrorList
	service := at.Child("service")
	if b.Service.Name == "" {
		errs = append(errs, field.Required(service.Child("name"), ""))
	} else {
		errs = append(errs, meta.Each(service.Child("name"), b.Service.Name, validation.NameIsDNSLabel(b.Service.Name, false))...)
	}
	switch port := b.Service.Port; {
	case port.Name != "" && port.Number != 0:
		errs = append(errs, field.Invalid(at, "", "cannot set both port name & port number"))
	case port.Name != "":
		errs = append(errs, meta.Each(service.Child("port", "name"), port.Name, utilvalidation.IsValidPortName(port.Name))...)
	case port.Number != 0:
		errs = append(errs, meta.Each(service.Child("port", "number"), port.Number, utilvalidation.IsValidPortNum(int(port.Number)))...)
	default:
		errs = append(errs, field.Required(at, "port name or number is required"))
	}
	return errs
}

func validateReference(group *string, kind, name string, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	if group != nil {
		errs = append(errs, meta.Each(at.Child("apiGroup"), *group, utilvalidation.IsDNS1123Subdomain(*group))...)
	}
	for _, part := range []struct{ field, value string }{{"kind", kind}, {"name", name}} {
		if part.value == "" {
			errs = append(errs, field.Required(at.Child(part.field), ""))
		} else {
			errs = append(errs, meta.Each(at.Child(part.field), part.value, path.IsValidPathSegmentName(part.value))...)
		}
	}
	return errs
}

func validateStatus(i, old *networkingv1.Ingress) field.ErrorList {
	var errs field.ErrorList
	var before []string
	for _, point := range old.Status.LoadBalancer.Ingress {
		before = append(before, point.IP)
	}
	for n, point := range i.Status.LoadBalancer.Ingress {
		at := field.NewPath("status", "loadBalancer", "ingress").Index(n)
		if point.IP != "" {
			errs = append(errs, meta.IP(at.Child("ip"), point.IP, before)...)
		}
		if point.Hostname != "" {
			errs = append(errs, meta.Each(at.Child("hostname"), point.Hostname, utilvalidation.IsDNS1123Subdomain(point.Hostname))...)
			if netutils.ParseIPSloppy(point.Hostname) != nil {
				errs = append(errs, field.Invalid(at.Child("hostname"), point.Hostname, "must be a DNS name, not an IP address"))
			}
		}
	}
	return errs
}

func ingressWarnings(obj, old resource.Object) []string {
	i := obj.(*networkingv1.Ingress)
	if _, set := i.Annotations[ClassAnnotation]; !set || old != nil || i.Spec.IngressClassName != nil {
		return nil
	}
	return []string{fmt.Sprintf("annotation %q is deprecated, please use 'spec.ingressClassName' instead", ClassAnnotation)}
}

func ingressRow(i *networkingv1.Ingress) []any {
	class, ports := "<none>", "80"
	if i.Spec.IngressClassName != nil {
		class = *i.Spec.IngressClassName
	}
	if len(i.Spec.TLS) > 0 {
		ports = "80, 443"
	}
	var addresses []string
	for _, point := range i.Status.LoadBalancer.Ingress {
		if point.IP != "" {
			addresses = append(addresses, point.IP)
		} else if point.Hostname != "" {
			addresses = append(addresses, point.Hostname)
		}
	}
	slices.Sort(addresses)
	return []any{i.Name, class, hosts(i.Spec.Rules), strings.Join(slices.Compact(addresses), ","), ports, meta.Since(i.CreationTimestamp)}
}

// hosts names three of them at most.
func hosts(rules []networkingv1.IngressRule) string {
	const most = 3
	var list []string
	more := false
	for _, r := range rules {
		more = more || len(list) == most
		if !more && r.Host != "" {
			list = append(list, r.Host)
		}
	}
	switch {
	case len(list) == 0:
		return "*"
	case more:
		return fmt.Sprintf("%s + %d more...", strings.Join(list, ","), len(rules)-most)
	}
	return strings.Join(list, ",")
}
