package dns

import (
	"net"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
	v1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"proa/client"
)

// Tables that answers come from.
const (
	services       = "services"
	endpointSlices = "endpointslices.discovery.k8s.io"
)

// ttl is how long clients may keep an answer, in seconds.
const ttl = 5

// Answer is what the cluster knows about a question.
type Answer struct {
	Ours    bool // the name is in the cluster's domain, or is the reverse of one of its addresses
	Rcode   int
	Records []dns.RR
	Extra   []dns.RR
	Alias   string // the name that a CNAME among Records points to
}

// Resolve answers a question about the zone from a view. It is pure.
func Resolve(v client.View, zone string, q dns.Question) Answer {
	name := strings.ToLower(q.Name)
	if addr, ok := reversed(name); ok {
		return resolvePointer(v, zone, q, addr)
	}
	rest, ours := strings.CutSuffix(name, "."+zone)
	if !ours && name != zone {
		return Answer{}
	}
	r := &resolver{view: v, zone: zone, q: q}
	var labels []string
	if ours {
		labels = strings.Split(rest, ".")
	}
	return r.resolve(labels)
}

type resolver struct {
	view client.View
	zone string
	q    dns.Question
}

var (
	nameError = Answer{Ours: true, Rcode: dns.RcodeNameError}
	noData    = Answer{Ours: true}
)

// resolve answers by the labels before the zone.
func (r *resolver) resolve(labels []string) Answer {
	n := len(labels)
	switch {
	case n == 0:
		if r.q.Qtype == dns.TypeSOA {
			return Answer{Ours: true, Records: []dns.RR{soa(r.zone)}}
		}
		return noData
	case n == 1 && labels[0] == "dns-version":
		return r.version()
	case n == 1 && (labels[0] == "svc" || labels[0] == "pod"):
		return noData
	case labels[n-1] == "pod":
		return r.pod(labels[:n-1])
	case labels[n-1] == "svc":
		return r.service(labels[:n-1])
	}
	return nameError
}

func (r *resolver) version() Answer {
	if r.q.Qtype != dns.TypeTXT {
		return noData
	}
	return Answer{Ours: true, Records: []dns.RR{&dns.TXT{Hdr: r.header(dns.TypeTXT), Txt: []string{"1.1.0"}}}}
}

// pod answers 10-244-0-5.namespace.pod with the address that the name spells.
func (r *resolver) pod(labels []string) Answer {
	if !r.namespaceExists(labels[len(labels)-1]) {
		return nameError
	}
	if len(labels) == 1 {
		return noData
	}
	addr, err := netip.ParseAddr(strings.ReplaceAll(labels[0], "-", "."))
	if len(labels) != 2 || err != nil {
		return nameError
	}
	return r.addresses([]netip.Addr{addr})
}

func (r *resolver) namespaceExists(name string) bool {
	return r.view.Get(client.Ref{Table: "namespaces", Name: name}) != nil
}

// service answers the forms [endpoint.]service.namespace and _port._protocol.service.namespace.
func (r *resolver) service(labels []string) Answer {
	n := len(labels)
	if n == 1 {
		if r.namespaceExists(labels[0]) {
			return noData
		}
		return nameError
	}
	s, ok := client.Get[*v1.Service](r.view, services, labels[n-1], labels[n-2])
	switch {
	case !ok:
		return nameError
	case s.Spec.Type == v1.ServiceTypeExternalName:
		return r.externalName(s, labels[:n-2])
	case n == 2 && r.q.Qtype == dns.TypeSRV:
		return r.ports(s, "", "")
	case n == 2:
		return r.serviceAddresses(s)
	case n == 3:
		return r.endpoint(s, labels[0])
	case n == 4 && strings.HasPrefix(labels[0], "_") && strings.HasPrefix(labels[1], "_"):
		return r.ports(s, labels[0][1:], labels[1][1:])
	}
	return nameError
}

func (r *resolver) externalName(s *v1.Service, before []string) Answer {
	if len(before) > 0 {
		return nameError
	}
	target := dns.Fqdn(s.Spec.ExternalName)
	record := &dns.CNAME{Hdr: r.header(dns.TypeCNAME), Target: target}
	a := Answer{Ours: true, Records: []dns.RR{record}}
	if r.q.Qtype == dns.TypeA || r.q.Qtype == dns.TypeAAAA {
		a.Alias = target
	}
	return a
}

func (r *resolver) serviceAddresses(s *v1.Service) Answer {
	if s.Spec.ClusterIP != v1.ClusterIPNone {
		if addr, err := netip.ParseAddr(s.Spec.ClusterIP); err == nil {
			return r.addresses([]netip.Addr{addr})
		}
		return noData
	}
	var addrs []netip.Addr
	for _, e := range r.endpoints(s) {
		addrs = append(addrs, e.addr)
	}
	if len(addrs) == 0 {
		return nameError
	}
	return r.addresses(addrs)
}

// endpoint answers the name of one endpoint: its hostname, or its address with dashes.
func (r *resolver) endpoint(s *v1.Service, name string) Answer {
	var addrs []netip.Addr
	for _, e := range r.endpoints(s) {
		if e.name == name {
			addrs = append(addrs, e.addr)
		}
	}
	if len(addrs) == 0 || s.Spec.ClusterIP != v1.ClusterIPNone {
		return nameError
	}
	return r.addresses(addrs)
}

// addresses answers A questions with the addresses; the name has no records of other types.
func (r *resolver) addresses(addrs []netip.Addr) Answer {
	a := noData
	if r.q.Qtype != dns.TypeA && r.q.Qtype != dns.TypeANY {
		return a
	}
	seen := map[netip.Addr]bool{}
	for _, addr := range addrs {
		if addr.Is4() && !seen[addr] {
			seen[addr] = true
			a.Records = append(a.Records, &dns.A{Hdr: r.header(dns.TypeA), A: net.IP(addr.AsSlice())})
		}
	}
	return a
}

func (r *resolver) header(rrtype uint16) dns.RR_Header { return header(r.q.Name, rrtype) }

func header(name string, rrtype uint16) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: rrtype, Class: dns.ClassINET, Ttl: ttl}
}

// soa is the zone's; its minimum is how long clients remember that a name does not exist.
func soa(zone string) *dns.SOA {
	return &dns.SOA{Hdr: header(zone, dns.TypeSOA), Ns: "ns.dns." + zone, Mbox: "hostmaster." + zone, Serial: 1, Refresh: 7200, Retry: 1800, Expire: 86400, Minttl: ttl}
}

// endpoint is one address of a Service.
type endpoint struct {
	name  string // its label below the Service's name
	addr  netip.Addr
	ports []discoveryv1.EndpointPort
}

// endpoints lists the ready endpoints of a Service.
func (r *resolver) endpoints(s *v1.Service) []endpoint {
	var found []endpoint
	for slice := range client.List[*discoveryv1.EndpointSlice](r.view, endpointSlices, s.Namespace) {
		if slice.Labels[discoveryv1.LabelServiceName] == s.Name && slice.AddressType == discoveryv1.AddressTypeIPv4 {
			found = append(found, readyEndpoints(slice)...)
		}
	}
	return found
}

func readyEndpoints(slice *discoveryv1.EndpointSlice) []endpoint {
	var found []endpoint
	for i := range slice.Endpoints {
		e := &slice.Endpoints[i]
		if len(e.Addresses) == 0 || e.Conditions.Ready != nil && !*e.Conditions.Ready {
			continue
		}
		addr, err := netip.ParseAddr(e.Addresses[0])
		if err != nil {
			continue
		}
		found = append(found, endpoint{endpointName(e), addr, slice.Ports})
	}
	return found
}

func endpointName(e *discoveryv1.Endpoint) string {
	if e.Hostname != nil && *e.Hostname != "" {
		return *e.Hostname
	}
	return strings.ReplaceAll(e.Addresses[0], ".", "-")
}
