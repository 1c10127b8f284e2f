package routes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"proa/network/podnet"
)

const (
	// TunnelLink is the VXLAN link. It is there only while a node is reached through it.
	TunnelLink = "proa-vxlan"
	// protocol marks our routes, among the numbers that nobody is known to use (rtnetlink(7), /etc/iproute2/rt_protos).
	protocol = 0x70
	// tunnelID and TunnelPort keep our tunnels apart from those of others on the same machines. The port is Linux's own for
	// VXLAN, as most pod networks have it, so that firewalls that let it through need no new rule.
	tunnelID = 0x706f
	// TunnelPort is where nodes take what comes through tunnels.
	TunnelPort = 8472
)

// Kernel sets routes in one network namespace.
type Kernel struct {
	host *netlink.Handle
	ns   netns.NsHandle
	node netip.Addr
	pods netip.Prefix
}

// NewKernel opens netlink. It changes nothing. node and pods are this node's address and range; ns is its network
// namespace, the zero value that of the process.
func NewKernel(node netip.Addr, pods netip.Prefix, ns netns.NsHandle) (*Kernel, error) {
	if ns <= 0 {
		current, err := netns.Get()
		if err != nil {
			return nil, fmt.Errorf("open network namespace: %w", err)
		}
		ns = current
	}
	host, err := netlink.NewHandleAt(ns)
	if err != nil {
		return nil, fmt.Errorf("open netlink: %w", err)
	}
	return &Kernel{host: host, ns: ns, node: node, pods: pods}, nil
}

// OnChange calls changed when a link comes, goes, or is set up or down, until ctx ends.
func (k *Kernel) OnChange(ctx context.Context, changed func()) error {
	updates := make(chan netlink.LinkUpdate, 64)
	if err := netlink.LinkSubscribeWithOptions(updates, ctx.Done(), netlink.LinkSubscribeOptions{Namespace: &k.ns}); err != nil {
		return fmt.Errorf("follow links: %w", err)
	}
	go func() {
		for update := range updates {
			// Pods' links come and go all the time, and no node is reached through them.
			if !strings.HasPrefix(update.Attrs().Name, podnet.LinkPrefix) {
				changed()
			}
		}
	}()
	return nil
}

// Apply sets the routes to the peers and removes those to anyone else. It describes the routes in one line.
func (k *Kernel) Apply(peers []Peer) (string, error) {
	var said []string
	var failed []error
	wanted := map[netip.Prefix]bool{}
	tunnel := (*tunnel)(nil)
	for _, p := range peers {
		wanted[p.Pods] = true
		link, direct, err := k.linkTo(p.Node)
		if err == nil && direct {
			err = k.set(&netlink.Route{LinkIndex: link, Gw: p.Node.AsSlice(), Flags: int(netlink.FLAG_ONLINK)}, p.Pods)
			said = append(said, fmt.Sprintf("%s via %s", p.Pods, p.Node))
		} else if err == nil {
			if tunnel == nil {
				tunnel, err = k.openTunnel()
			}
			if err == nil {
				err = k.throughTunnel(tunnel, p)
			}
			said = append(said, fmt.Sprintf("%s through a tunnel to %s", p.Pods, p.Node))
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("route to %s, of node %s: %w", p.Pods, p.Node, err))
		}
	}
	if err := k.removeOthers(wanted); err != nil {
		failed = append(failed, err)
	}
	if tunnel == nil {
		failed = append(failed, k.closeTunnel())
	} else {
		failed = append(failed, tunnel.forgetOthers())
	}
	return strings.Join(said, ", "), errors.Join(failed...)
}

// Remove takes all routes and the tunnel away.
func (k *Kernel) Remove() error {
	return errors.Join(k.removeOthers(nil), k.closeTunnel())
}

// linkTo finds the link by which the kernel would send to an address, and whether that is at its other end.
func (k *Kernel) linkTo(node netip.Addr) (link int, direct bool, err error) {
	routes, err := k.host.RouteGet(node.AsSlice())
	if err != nil || len(routes) == 0 {
		return 0, false, fmt.Errorf("no way to the node: %w", err)
	}
	return routes[0].LinkIndex, routes[0].Gw == nil && routes[0].Via == nil, nil
}

// set makes a route to a range; what the host itself sends has the node's address, which all others can answer.
func (k *Kernel) set(route *netlink.Route, to netip.Prefix) error {
	route.Dst, route.Protocol, route.Src = ipNet(to), protocol, k.node.AsSlice()
	return k.host.RouteReplace(route)
}

// removeOthers removes our routes that lead to no wanted range.
func (k *Kernel) removeOthers(wanted map[netip.Prefix]bool) error {
	routes, err := k.host.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Protocol: protocol}, netlink.RT_FILTER_PROTOCOL)
	if err != nil {
		return fmt.Errorf("list routes: %w", err)
	}
	var failed []error
	for i := range routes {
		if wanted[prefix(routes[i].Dst)] {
			continue
		}
		if err := k.host.RouteDel(&routes[i]); err != nil && !errors.Is(err, unix.ESRCH) {
			failed = append(failed, fmt.Errorf("remove route to %s: %w", routes[i].Dst, err))
		}
	}
	return errors.Join(failed...)
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

func prefix(n *net.IPNet) netip.Prefix {
	if n == nil {
		return netip.Prefix{}
	}
	addr, _ := netip.AddrFromSlice(n.IP)
	bits, _ := n.Mask.Size()
	return netip.PrefixFrom(addr.Unmap(), bits)
}
