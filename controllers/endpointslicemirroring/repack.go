package endpointslicemirroring

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
)

// address is one address of Endpoints as a slice shows it.
type address struct {
	ip     netip.Addr
	family discoveryv1.AddressType
	ready  bool
	from   *corev1.EndpointAddress
}

func (a address) endpoint() discoveryv1.Endpoint {
	ready := a.ready
	e := discoveryv1.Endpoint{
		Addresses: []string{a.ip.String()}, Conditions: discoveryv1.EndpointConditions{Ready: &ready},
		TargetRef: a.from.TargetRef, NodeName: a.from.NodeName,
	}
	if a.from.Hostname != "" {
		e.Hostname = &a.from.Hostname
	}
	return e
}

func (a address) uid() types.UID {
	if a.from.TargetRef == nil {
		return ""
	}
	return a.from.TargetRef.UID
}

// group is the addresses that have the same ports: the ready ones first, each part in order.
type group struct {
	ports     []corev1.EndpointPort
	addresses []address
}

// repack brings subsets into one form, in whichever way their author has spread addresses over them: an address is listed
// once for a port, and ports with the same addresses stand together. An address that one subset calls not ready is not.
func repack(subsets []corev1.EndpointSubset) []group {
	byPort := map[string]*group{}
	for i := range subsets {
		ports := subsets[i].Ports
		if len(ports) == 0 { // addresses without any port are kept
			gather(byPort, "", nil, &subsets[i])
		}
		for j := range ports {
			gather(byPort, portText(&ports[j]), ports[j:j+1], &subsets[i])
		}
	}
	byAddresses := map[string]*group{}
	for _, g := range byPort {
		slices.SortFunc(g.addresses, compare)
		var key strings.Builder
		for _, a := range g.addresses {
			fmt.Fprintf(&key, "%s %s %t,", a.ip, a.uid(), a.ready)
		}
		if same := byAddresses[key.String()]; same != nil {
			same.ports = append(same.ports, g.ports...)
		} else {
			byAddresses[key.String()] = &group{ports: slices.Clone(g.ports), addresses: g.addresses}
		}
	}
	var groups []group
	for _, g := range byAddresses {
		slices.SortFunc(g.ports, comparePorts)
		groups = append(groups, *g)
	}
	slices.SortFunc(groups, func(a, b group) int { return slices.CompareFunc(a.ports, b.ports, comparePorts) })
	return groups
}

// gather adds the addresses of a subset to those of one of its ports.
func gather(byPort map[string]*group, key string, ports []corev1.EndpointPort, subset *corev1.EndpointSubset) {
	g := byPort[key]
	if g == nil {
		g = &group{ports: ports}
		byPort[key] = g
	}
	for i := range subset.Addresses {
		g.add(&subset.Addresses[i], true)
	}
	for i := range subset.NotReadyAddresses {
		g.add(&subset.NotReadyAddresses[i], false)
	}
}

// add leaves out what is no address: the API lets none pass but those stored long ago.
func (g *group) add(from *corev1.EndpointAddress, ready bool) {
	ip, err := netip.ParseAddr(from.IP)
	if err != nil {
		return
	}
	a := address{ip: ip.Unmap(), family: discoveryv1.AddressTypeIPv4, ready: ready, from: from}
	if a.ip.Is6() {
		a.family = discoveryv1.AddressTypeIPv6
	}
	for i := range g.addresses {
		if g.addresses[i].ip == a.ip && g.addresses[i].uid() == a.uid() {
			g.addresses[i].ready = g.addresses[i].ready && ready
			return
		}
	}
	g.addresses = append(g.addresses, a)
}

func compare(a, b address) int {
	if a.ready != b.ready {
		if a.ready {
			return -1
		}
		return 1
	}
	return cmp.Or(a.ip.Compare(b.ip), cmp.Compare(a.uid(), b.uid()))
}

func comparePorts(a, b corev1.EndpointPort) int { return cmp.Compare(portText(&a), portText(&b)) }

func portText(p *corev1.EndpointPort) string {
	appProtocol := ""
	if p.AppProtocol != nil {
		appProtocol = *p.AppProtocol
	}
	return fmt.Sprintf("%s/%s/%d/%s", p.Name, p.Protocol, p.Port, appProtocol)
}
