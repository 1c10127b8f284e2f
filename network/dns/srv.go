package dns

import (
	"net"
	"strings"

	"github.com/miekg/dns"
	v1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"proa/client"
)

// ports answers SRV questions: the ports of a Service, all of them or those of a name and protocol.
func (r *resolver) ports(s *v1.Service, name, protocol string) Answer {
	matches := func(n string, p v1.Protocol) bool {
		return protocol == "" || n == name && strings.EqualFold(string(p), protocol)
	}
	var a Answer
	if s.Spec.ClusterIP == v1.ClusterIPNone {
		a = r.headlessPorts(s, matches)
	} else {
		a = r.clusterPorts(s, matches)
	}
	if len(a.Records) == 0 {
		return nameError
	}
	if r.q.Qtype != dns.TypeSRV && r.q.Qtype != dns.TypeANY {
		return noData
	}
	return a
}

func (r *resolver) clusterPorts(s *v1.Service, matches func(string, v1.Protocol) bool) Answer {
	a := Answer{Ours: true}
	target := s.Name + "." + s.Namespace + ".svc." + r.zone
	for i := range s.Spec.Ports {
		if p := &s.Spec.Ports[i]; matches(p.Name, p.Protocol) {
			a.Records = append(a.Records, r.srv(uint16(p.Port), target))
		}
	}
	if ip := net.ParseIP(s.Spec.ClusterIP); ip != nil && len(a.Records) > 0 {
		a.Extra = append(a.Extra, &dns.A{Hdr: header(target, dns.TypeA), A: ip})
	}
	return a
}

func (r *resolver) headlessPorts(s *v1.Service, matches func(string, v1.Protocol) bool) Answer {
	a := Answer{Ours: true}
	for _, e := range r.endpoints(s) {
		target := e.name + "." + s.Name + "." + s.Namespace + ".svc." + r.zone
		listed := false
		for _, p := range e.ports {
			if p.Port != nil && matches(text(p.Name), protocolOf(p)) {
				a.Records = append(a.Records, r.srv(uint16(*p.Port), target))
				listed = true
			}
		}
		if listed {
			a.Extra = append(a.Extra, &dns.A{Hdr: header(target, dns.TypeA), A: net.IP(e.addr.AsSlice())})
		}
	}
	return a
}

func (r *resolver) srv(port uint16, target string) dns.RR {
	return &dns.SRV{Hdr: r.header(dns.TypeSRV), Weight: 100, Port: port, Target: target}
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func protocolOf(p discoveryv1.EndpointPort) v1.Protocol {
	if p.Protocol == nil {
		return v1.ProtocolTCP
	}
	return *p.Protocol
}

// reversed reads an address from the name of a reverse lookup.
func reversed(name string) (string, bool) {
	rest, ok := strings.CutSuffix(name, ".in-addr.arpa.")
	if !ok {
		return "", false
	}
	parts := strings.Split(rest, ".")
	if len(parts) != 4 {
		return "", false
	}
	return parts[3] + "." + parts[2] + "." + parts[1] + "." + parts[0], true
}

// resolvePointer answers reverse lookups of cluster IPs and endpoints; other addresses are not ours.
func resolvePointer(v client.View, zone string, q dns.Question, addr string) Answer {
	var names []string
	for s := range client.List[*v1.Service](v, services, "") {
		if s.Spec.ClusterIP == addr {
			names = append(names, s.Name+"."+s.Namespace+".svc."+zone)
		}
	}
	for slice := range client.List[*discoveryv1.EndpointSlice](v, endpointSlices, "") {
		service := slice.Labels[discoveryv1.LabelServiceName]
		for i := range slice.Endpoints {
			if e := &slice.Endpoints[i]; service != "" && len(e.Addresses) > 0 && e.Addresses[0] == addr {
				names = append(names, endpointName(e)+"."+service+"."+slice.Namespace+".svc."+zone)
			}
		}
	}
	if len(names) == 0 {
		return Answer{}
	}
	a := Answer{Ours: true}
	if q.Qtype == dns.TypePTR {
		for _, name := range names {
			a.Records = append(a.Records, &dns.PTR{Hdr: header(q.Name, dns.TypePTR), Ptr: name})
		}
	}
	return a
}
