package edge

import (
	"cmp"
	"fmt"
	"iter"
	"net"
	"net/netip"
	"slices"
	"strconv"

	v1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/utils/ptr"

	"proa/kinds/networking"
)

// Input is what routes follow from.
type Input struct {
	Ingresses iter.Seq[*networkingv1.Ingress]
	Class     func(name string) *networkingv1.IngressClass // nil if there is none
	Service   func(namespace, name string) *v1.Service
	Secret    func(namespace, name string) *v1.Secret
	Slices    func(namespace string) iter.Seq[*discoveryv1.EndpointSlice]
}

// Plan computes the routes. Rules of the older Ingress count where two say the same; what cannot be served, such as a
// Service that does not exist, is a backend without addresses.
func Plan(in Input) *Routes {
	p := &planner{in: in, routes: &Routes{Backends: map[string][]string{}}}
	var ingresses []*networkingv1.Ingress
	for i := range in.Ingresses {
		if networking.Serves(i, in.Class) {
			ingresses = append(ingresses, i)
		}
	}
	slices.SortStableFunc(ingresses, func(a, b *networkingv1.Ingress) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	for _, i := range ingresses {
		p.ingress(i)
	}
	return p.routes
}

type planner struct {
	in     Input
	routes *Routes
}

func (p *planner) ingress(i *networkingv1.Ingress) {
	from := i.Namespace + "/" + i.Name
	if i.Spec.DefaultBackend != nil {
		p.routes.Rules = append(p.routes.Rules, Rule{Backend: p.backend(i.Namespace, i.Spec.DefaultBackend), From: from})
	}
	for _, r := range i.Spec.Rules {
		if r.HTTP == nil {
			continue
		}
		for j := range r.HTTP.Paths {
			path := &r.HTTP.Paths[j]
			exact := ptr.Deref(path.PathType, networkingv1.PathTypePrefix) == networkingv1.PathTypeExact
			p.routes.Rules = append(p.routes.Rules, Rule{Host: r.Host, Path: path.Path, Exact: exact, Backend: p.backend(i.Namespace, &path.Backend), From: from})
		}
	}
	for _, t := range i.Spec.TLS {
		if secret := p.in.Secret(i.Namespace, t.SecretName); secret != nil && len(secret.Data[v1.TLSCertKey]) > 0 && len(secret.Data[v1.TLSPrivateKeyKey]) > 0 {
			p.routes.Certificates = append(p.routes.Certificates, Certificate{
				Hosts: t.Hosts, Chain: string(secret.Data[v1.TLSCertKey]), Key: string(secret.Data[v1.TLSPrivateKeyKey]),
			})
		}
	}
}

// backend names a backend and finds its addresses.
func (p *planner) backend(namespace string, b *networkingv1.IngressBackend) string {
	if b.Service == nil {
		return namespace + "/" // a resource: nothing here serves one
	}
	want := b.Service.Port
	name := fmt.Sprintf("%s/%s:%s", namespace, b.Service.Name, cmp.Or(want.Name, strconv.Itoa(int(want.Number))))
	if _, known := p.routes.Backends[name]; known {
		return name
	}
	p.routes.Backends[name] = []string{}
	service := p.in.Service(namespace, b.Service.Name)
	if service == nil {
		return name
	}
	if service.Spec.Type == v1.ServiceTypeExternalName {
		port := want.Number
		for _, sp := range service.Spec.Ports {
			if want.Name != "" && sp.Name == want.Name {
				port = sp.Port
			}
		}
		p.routes.Backends[name] = []string{net.JoinHostPort(service.Spec.ExternalName, strconv.Itoa(int(port)))}
		return name
	}
	for _, sp := range service.Spec.Ports {
		if want.Name != "" && sp.Name == want.Name || want.Name == "" && sp.Port == want.Number {
			p.routes.Backends[name] = p.endpoints(namespace, b.Service.Name, sp.Name)
			return name
		}
	}
	return name
}

// endpoints are the addresses of a Service's port: those that are ready, or when none is, those that still serve.
func (p *planner) endpoints(namespace, service, port string) []string {
	var ready, leaving []string
	for slice := range p.in.Slices(namespace) {
		if slice.Labels[discoveryv1.LabelServiceName] != service || slice.AddressType != discoveryv1.AddressTypeIPv4 {
			continue
		}
		for _, sp := range slice.Ports {
			if sp.Port == nil || ptr.Deref(sp.Name, "") != port {
				continue
			}
			for _, e := range slice.Endpoints {
				if len(e.Addresses) == 0 {
					continue
				}
				addr, err := netip.ParseAddr(e.Addresses[0])
				if err != nil {
					continue
				}
				at := netip.AddrPortFrom(addr, uint16(*sp.Port)).String()
				switch c := &e.Conditions; {
				case ptr.Deref(c.Ready, true):
					ready = append(ready, at)
				case ptr.Deref(c.Serving, false) && ptr.Deref(c.Terminating, false):
					leaving = append(leaving, at)
				}
			}
		}
	}
	if len(ready) == 0 {
		ready = leaving
	}
	slices.Sort(ready)
	return slices.Compact(ready)
}
