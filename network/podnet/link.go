package podnet

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// NodeLink is a link of the node that carries addresses which exist on no cable: the node's own when it has no other
// that stays, the cluster's DNS server, and the route that makes cluster IPs reachable for the host itself.
type NodeLink struct {
	Name     string       // of the bridge, such as proa0
	Address  netip.Prefix // the node's address and network; invalid when the node uses an address of another link
	Extra    []netip.Addr // further addresses that the node answers for
	Services netip.Prefix // routed here, so that the host has a way before the packet rules translate it
	Source   netip.Addr   // from which the host talks to Services
}

// EnsureNodeLink makes the link as wanted, keeping what is there.
func (n *Network) EnsureNodeLink(want NodeLink) error {
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: want.Name}}
	if err := n.host.LinkAdd(bridge); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("make link %s: %w", want.Name, err)
	}
	link, err := n.host.LinkByName(want.Name)
	if err != nil {
		return fmt.Errorf("find link %s: %w", want.Name, err)
	}
	if err := n.host.LinkSetUp(link); err != nil {
		return fmt.Errorf("set link %s up: %w", want.Name, err)
	}
	var addrs []*net.IPNet
	if want.Address.IsValid() {
		addrs = append(addrs, &net.IPNet{IP: want.Address.Addr().AsSlice(), Mask: net.CIDRMask(want.Address.Bits(), 32)})
	}
	for _, a := range want.Extra {
		addrs = append(addrs, hostNet(a))
	}
	for _, a := range addrs {
		if err := n.host.AddrReplace(link, &netlink.Addr{IPNet: a}); err != nil {
			return fmt.Errorf("set address %s of link %s: %w", a, want.Name, err)
		}
	}
	services := &net.IPNet{IP: want.Services.Masked().Addr().AsSlice(), Mask: net.CIDRMask(want.Services.Bits(), 32)}
	route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: services, Scope: netlink.SCOPE_LINK, Src: want.Source.AsSlice()}
	if err := n.host.RouteReplace(route); err != nil {
		return fmt.Errorf("set route to %s: %w", services, err)
	}
	return nil
}

// RemoveLinks deletes the node link and every pod's link that is left, with all their addresses and routes.
func (n *Network) RemoveLinks(nodeLink string) error {
	links, err := n.host.LinkList()
	if err != nil {
		return fmt.Errorf("list links: %w", err)
	}
	var failed []error
	for _, l := range links {
		name := l.Attrs().Name
		ours := name == nodeLink || l.Type() == "veth" && isPodLink(name)
		if !ours {
			continue
		}
		if err := n.host.LinkDel(l); err != nil && !errors.Is(err, unix.ENODEV) {
			failed = append(failed, fmt.Errorf("remove link %s: %w", name, err))
		}
	}
	return errors.Join(failed...)
}

// isPodLink recognises the names that hostLink makes.
func isPodLink(name string) bool {
	rest, ours := strings.CutPrefix(name, LinkPrefix)
	if !ours || len(rest) != 12 {
		return false
	}
	for _, c := range rest {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
