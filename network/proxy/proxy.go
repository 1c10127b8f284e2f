// Package proxy decides where the traffic of Services and host ports goes on one node: from the API's Services,
// EndpointSlices and Pods to a ruleset. It is pure; package nft acts on the result, the agent calls both when one of the
// three tables changes.
package proxy

import (
	"cmp"
	"iter"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"proa/network/ruleset"
)

// Input is what the rules of one node follow from.
type Input struct {
	Node           string       // the node's name
	Zone           string       // that the node is in; "" if it does not say
	Pods, Services netip.Prefix // ranges of the cluster
	ServiceList    iter.Seq[*v1.Service]
	Slices         iter.Seq[*discoveryv1.EndpointSlice]
	PodList        iter.Seq[*v1.Pod] // for host ports; pods of other nodes are passed over
	// Skip leaves out a Service that the node answers itself, such as the cluster's DNS.
	Skip func(*v1.Service) bool
}

// endpoint is one address of a Service's port that may be used.
type endpoint struct {
	addr  netip.AddrPort
	local bool                       // its pod runs on this node
	ready bool                       // else it is terminating and still serving
	hints *discoveryv1.EndpointHints // for whom it is meant; nil: for all
}

// portKey names a port of a Service.
type portKey struct{ namespace, service, port string }

// Rules computes the ruleset.
func Rules(in Input) *ruleset.Ruleset {
	b := &builder{in: in, endpoints: collect(in), loops: map[netip.Addr]bool{}, rules: &ruleset.Ruleset{
		Pods: in.Pods, Services: in.Services,
		Frontends: map[ruleset.Frontend]string{}, Inside: map[ruleset.Frontend]string{}, Guards: map[ruleset.Frontend][]netip.Prefix{}, Backends: map[string][]netip.AddrPort{}, Sticky: map[string]time.Duration{},
	}}
	for service := range in.ServiceList {
		if !elsewhere(service.Labels) && (in.Skip == nil || !in.Skip(service)) {
			b.service(service)
		}
	}
	for pod := range in.PodList {
		b.hostPorts(pod)
	}
	slices.SortFunc(b.rules.Closed, ruleset.Frontend.Compare)
	slices.SortFunc(b.rules.Elsewhere, ruleset.Frontend.Compare)
	slices.SortFunc(b.rules.Checks, func(x, y ruleset.Check) int { return cmp.Compare(x.Port, y.Port) })
	for addr := range b.loops {
		b.rules.Loops = append(b.rules.Loops, addr)
	}
	slices.SortFunc(b.rules.Loops, netip.Addr.Compare)
	return b.rules
}

// elsewhere says whether the labels of a Service or a slice leave it to another proxy, or to none.
func elsewhere(labels map[string]string) bool {
	_, other := labels[serviceProxyName]
	_, none := labels[v1.IsHeadlessService]
	return other || none
}

// serviceProxyName is the label that names the proxy of a Service, if it is not the cluster's own.
const serviceProxyName = "service.kubernetes.io/service-proxy-name"

// collect gathers the usable endpoints of every Service port.
func collect(in Input) map[portKey][]endpoint {
	found := map[portKey][]endpoint{}
	for slice := range in.Slices {
		service := slice.Labels[discoveryv1.LabelServiceName]
		if service == "" || slice.AddressType != discoveryv1.AddressTypeIPv4 || elsewhere(slice.Labels) {
			continue
		}
		for i := range slice.Ports {
			if slice.Ports[i].Port == nil {
				continue
			}
			key := portKey{slice.Namespace, service, value(slice.Ports[i].Name, "")}
			for j := range slice.Endpoints {
				if e, ok := usable(&slice.Endpoints[j], uint16(*slice.Ports[i].Port), in.Node); ok {
					found[key] = append(found[key], e)
				}
			}
		}
	}
	return found
}

// usable reads an endpoint; ok is false when it neither is ready nor serves while it terminates.
func usable(e *discoveryv1.Endpoint, port uint16, node string) (endpoint, bool) {
	ready := value(e.Conditions.Ready, true)
	fallback := value(e.Conditions.Serving, ready) && value(e.Conditions.Terminating, false)
	if len(e.Addresses) == 0 || !ready && !fallback {
		return endpoint{}, false
	}
	addr, err := netip.ParseAddr(e.Addresses[0])
	if err != nil || !addr.Is4() {
		return endpoint{}, false
	}
	return endpoint{netip.AddrPortFrom(addr, port), value(e.NodeName, "") == node, ready, e.Hints}, true
}

type builder struct {
	in        Input
	endpoints map[portKey][]endpoint
	loops     map[netip.Addr]bool
	rules     *ruleset.Ruleset
}

// service adds the frontends of one Service.
func (b *builder) service(s *v1.Service) {
	clusterIP, err := netip.ParseAddr(s.Spec.ClusterIP)
	if err != nil || !clusterIP.Is4() || s.Spec.Type == v1.ServiceTypeExternalName {
		return // headless, not allocated yet, or a name only
	}
	sticky := affinity(&s.Spec)
	b.check(s)
	for i := range s.Spec.Ports {
		port := &s.Spec.Ports[i]
		proto := protocol(port.Protocol)
		all := b.endpoints[portKey{s.Namespace, s.Name, port.Name}]
		name := s.Namespace + "/" + s.Name + ":" + cmp.Or(port.Name, strconv.Itoa(int(port.Port)))
		onlyLocal := value(s.Spec.InternalTrafficPolicy, v1.ServiceInternalTrafficPolicyCluster) == v1.ServiceInternalTrafficPolicyLocal
		b.frontend(ruleset.Frontend{Addr: clusterIP, Proto: proto, Port: uint16(port.Port)}, backendSet{name, all, onlyLocal, sticky})
		if port.NodePort != 0 {
			onlyLocal := s.Spec.ExternalTrafficPolicy == v1.ServiceExternalTrafficPolicyLocal
			b.external(ruleset.Frontend{Proto: proto, Port: uint16(port.NodePort)}, backendSet{name, all, onlyLocal, sticky})
		}
		b.balanced(s, proto, uint16(port.Port), backendSet{name, all, s.Spec.ExternalTrafficPolicy == v1.ServiceExternalTrafficPolicyLocal, sticky})
	}
}

// check adds what load balancers ask of a Service that keeps its clients' addresses: how many of its pods are here.
func (b *builder) check(s *v1.Service) {
	if s.Spec.HealthCheckNodePort == 0 {
		return
	}
	local := map[netip.Addr]bool{}
	for i := range s.Spec.Ports {
		for _, e := range b.endpoints[portKey{s.Namespace, s.Name, s.Spec.Ports[i].Name}] {
			if e.local && e.ready {
				local[e.addr.Addr()] = true
			}
		}
	}
	b.rules.Checks = append(b.rules.Checks, ruleset.Check{
		Port: uint16(s.Spec.HealthCheckNodePort), Namespace: s.Namespace, Name: s.Name, Local: len(local),
	})
}

// balanced adds the addresses at which a load balancer, or whoever plays its part, serves the port: traffic from here to them
// need not leave the cluster.
func (b *builder) balanced(s *v1.Service, proto ruleset.Protocol, port uint16, to backendSet) {
	if s.Spec.Type != v1.ServiceTypeLoadBalancer {
		return
	}
	for _, point := range s.Status.LoadBalancer.Ingress {
		addr, err := netip.ParseAddr(point.IP)
		if err != nil || !addr.Is4() || value(point.IPMode, v1.LoadBalancerIPModeVIP) == v1.LoadBalancerIPModeProxy {
			continue
		}
		f := ruleset.Frontend{Addr: addr, Proto: proto, Port: port}
		b.external(f, to)
		if ranges := sources(s); ranges != nil {
			b.rules.Guards[f] = append([]netip.Prefix{netip.PrefixFrom(addr, addr.BitLen())}, ranges...)
			slices.SortFunc(b.rules.Guards[f], comparePrefixes)
		}
	}
}

// sources are the networks from which a load balancer takes connections; nil means all. The node itself may always.
func sources(s *v1.Service) []netip.Prefix {
	given := s.Spec.LoadBalancerSourceRanges
	if text := strings.TrimSpace(s.Annotations[v1.AnnotationLoadBalancerSourceRangesKey]); len(given) == 0 && text != "" {
		given = strings.Split(text, ",")
	}
	var ranges []netip.Prefix
	for _, text := range given {
		if r, err := netip.ParsePrefix(strings.TrimSpace(text)); err == nil && r.Addr().Is4() {
			if r.Bits() == 0 {
				return nil
			}
			ranges = append(ranges, r.Masked())
		}
	}
	return ranges
}

func comparePrefixes(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}

// external leads f, which clients outside use, to endpoints. Where those are this node's alone, clients inside the cluster
// are led to all: their addresses are kept anyway, and they did not choose the node.
func (b *builder) external(f ruleset.Frontend, to backendSet) {
	b.frontend(f, to)
	if !to.onlyLocal {
		return
	}
	if backends := b.choose(to.all, false); len(backends) > 0 {
		b.rules.Inside[f] = to.name
		b.backends(to.name, backends, to.sticky)
	}
}

func (b *builder) backends(name string, backends []netip.AddrPort, sticky time.Duration) {
	b.rules.Backends[name] = backends
	if sticky > 0 {
		b.rules.Sticky[name] = sticky
	}
}

// affinity is for how long a client keeps its backend; zero when it need not.
func affinity(spec *v1.ServiceSpec) time.Duration {
	if spec.SessionAffinity != v1.ServiceAffinityClientIP {
		return 0
	}
	seconds := v1.DefaultClientIPServiceAffinitySeconds
	if config := spec.SessionAffinityConfig; config != nil && config.ClientIP != nil {
		seconds = value(config.ClientIP.TimeoutSeconds, seconds)
	}
	return time.Duration(seconds) * time.Second
}

// backendSet is what frontends lead to, before it is decided which endpoints serve.
type backendSet struct {
	name      string
	all       []endpoint
	onlyLocal bool
	sticky    time.Duration
}

// frontend leads f to the endpoints that may serve it.
func (b *builder) frontend(f ruleset.Frontend, to backendSet) {
	name := to.name
	if to.onlyLocal {
		name += "@" + b.in.Node
	}
	backends := b.choose(to.all, to.onlyLocal)
	switch {
	case len(backends) > 0:
	case to.onlyLocal && len(b.choose(to.all, false)) > 0:
		b.rules.Elsewhere = append(b.rules.Elsewhere, f)
		return
	default:
		b.rules.Closed = append(b.rules.Closed, f)
		return
	}
	b.rules.Frontends[f] = name
	b.backends(name, backends, to.sticky)
}

// choose picks the ready endpoints, or, when none is, those that still serve while they terminate (KEP-1669).
func (b *builder) choose(all []endpoint, onlyLocal bool) []netip.AddrPort {
	var ready, terminating []netip.AddrPort
	meant := func(endpoint) bool { return true }
	if !onlyLocal {
		meant = b.meant(all)
	}
	for _, e := range all {
		if onlyLocal && !e.local {
			continue
		}
		if e.local {
			b.loops[e.addr.Addr()] = true
		}
		switch {
		case !e.ready:
			terminating = append(terminating, e.addr)
		case meant(e):
			ready = append(ready, e.addr)
		}
	}
	if len(ready) == 0 {
		ready = terminating
	}
	slices.SortFunc(ready, netip.AddrPort.Compare)
	return slices.Compact(ready)
}

// meant says which of the ready endpoints are meant for this node: those with its name in their hints, else those with its
// zone. As long as an endpoint has no such hint, or none has this node's, hints of that sort count for nothing: they are
// being written, or nobody thought of this node.
func (b *builder) meant(all []endpoint) func(endpoint) bool {
	forNode := func(e endpoint) (hinted, here bool) {
		return e.hints != nil && len(e.hints.ForNodes) > 0, e.hints != nil && slices.Contains(e.hints.ForNodes, discoveryv1.ForNode{Name: b.in.Node})
	}
	forZone := func(e endpoint) (hinted, here bool) {
		return e.hints != nil && len(e.hints.ForZones) > 0, e.hints != nil && slices.Contains(e.hints.ForZones, discoveryv1.ForZone{Name: b.in.Zone})
	}
	for _, sort := range []func(endpoint) (hinted, here bool){forNode, forZone} {
		allHinted, someHere := true, false
		for _, e := range all {
			if e.ready {
				hinted, here := sort(e)
				allHinted, someHere = allHinted && hinted, someHere || here
			}
		}
		if allHinted && someHere {
			return func(e endpoint) bool { _, here := sort(e); return here }
		}
	}
	return func(endpoint) bool { return true }
}

// hostPorts adds the host ports of a pod that runs on this node.
func (b *builder) hostPorts(pod *v1.Pod) {
	if pod.Spec.NodeName != b.in.Node || pod.Spec.HostNetwork || pod.Status.Phase == v1.PodSucceeded || pod.Status.Phase == v1.PodFailed {
		return
	}
	podIP, err := netip.ParseAddr(pod.Status.PodIP)
	if err != nil || !podIP.Is4() {
		return
	}
	for _, containers := range [][]v1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			for _, port := range containers[i].Ports {
				if port.HostPort != 0 {
					b.hostPort(pod, podIP, port)
				}
			}
		}
	}
}

func (b *builder) hostPort(pod *v1.Pod, podIP netip.Addr, port v1.ContainerPort) {
	f := ruleset.Frontend{Proto: protocol(port.Protocol), Port: uint16(port.HostPort)}
	if addr, err := netip.ParseAddr(port.HostIP); err == nil && !addr.IsUnspecified() {
		f.Addr = addr
	}
	name := pod.Namespace + "/" + pod.Name + ":host-" + strconv.Itoa(int(port.HostPort)) + "-" + f.Proto.String()
	b.rules.Frontends[f] = name
	b.rules.Backends[name] = []netip.AddrPort{netip.AddrPortFrom(podIP, uint16(port.ContainerPort))}
	b.loops[podIP] = true
}

func protocol(p v1.Protocol) ruleset.Protocol {
	switch p {
	case v1.ProtocolUDP:
		return ruleset.UDP
	case v1.ProtocolSCTP:
		return ruleset.SCTP
	}
	return ruleset.TCP
}

// value reads an optional field.
func value[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}
