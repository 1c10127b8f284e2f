package routes

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// tunnel is the VXLAN link with the nodes behind it.
//
// Nothing is learned from packets and nobody is asked: the hardware address of a node's end is made from the node's
// address, and for each node the kernel is told, for good, which hardware address its range is behind (a neighbour) and to which
// node that belongs (a forwarding entry).
type tunnel struct {
	kernel *Kernel
	link   netlink.Link
	nodes  map[string]bool // hardware addresses in use
}

// hardware is the address of a node's end of the tunnel: of those that are administered locally.
func hardware(node netip.Addr) net.HardwareAddr {
	return append(net.HardwareAddr{0x0a, 0x70}, node.AsSlice()...)
}

// openTunnel makes the link, or finds the one that is there.
func (k *Kernel) openTunnel() (*tunnel, error) {
	link, err := k.host.LinkByName(TunnelLink)
	if err == nil && !k.fits(link) {
		if err := k.host.LinkDel(link); err != nil {
			return nil, fmt.Errorf("remove link %s: %w", TunnelLink, err)
		}
	}
	if err != nil || !k.fits(link) {
		vxlan := &netlink.Vxlan{
			LinkAttrs: netlink.LinkAttrs{Name: TunnelLink, HardwareAddr: hardware(k.node)},
			VxlanId:   tunnelID, SrcAddr: k.node.AsSlice(), Port: TunnelPort,
		}
		if err := k.host.LinkAdd(vxlan); err != nil && !errors.Is(err, unix.EEXIST) {
			return nil, fmt.Errorf("make link %s: %w", TunnelLink, err)
		}
		if link, err = k.host.LinkByName(TunnelLink); err != nil {
			return nil, fmt.Errorf("find link %s: %w", TunnelLink, err)
		}
	}
	if err := k.host.LinkSetUp(link); err != nil {
		return nil, fmt.Errorf("set link %s up: %w", TunnelLink, err)
	}
	return &tunnel{kernel: k, link: link, nodes: map[string]bool{}}, nil
}

func (k *Kernel) fits(link netlink.Link) bool {
	vxlan, ok := link.(*netlink.Vxlan)
	return ok && vxlan.VxlanId == tunnelID && vxlan.Port == TunnelPort && vxlan.SrcAddr.Equal(k.node.AsSlice())
}

// throughTunnel leads a peer's range into the tunnel. The first address of a range is no pod's: it stands for the node.
func (k *Kernel) throughTunnel(t *tunnel, p Peer) error {
	mac, index := hardware(p.Node), t.link.Attrs().Index
	t.nodes[mac.String()] = true
	forward := &netlink.Neigh{LinkIndex: index, Family: unix.AF_BRIDGE, State: netlink.NUD_PERMANENT, Flags: netlink.NTF_SELF,
		IP: p.Node.AsSlice(), HardwareAddr: mac}
	if err := k.host.NeighSet(forward); err != nil {
		return fmt.Errorf("set forwarding entry: %w", err)
	}
	neighbour := &netlink.Neigh{LinkIndex: index, State: netlink.NUD_PERMANENT, IP: p.Pods.Addr().AsSlice(), HardwareAddr: mac}
	if err := k.host.NeighSet(neighbour); err != nil {
		return fmt.Errorf("set neighbour: %w", err)
	}
	return k.set(&netlink.Route{LinkIndex: index, Gw: p.Pods.Addr().AsSlice(), Flags: int(netlink.FLAG_ONLINK)}, p.Pods)
}

// forgetOthers removes what is known of nodes that are no longer reached through the tunnel.
func (t *tunnel) forgetOthers() error {
	var failed []error
	for _, family := range []int{unix.AF_BRIDGE, unix.AF_INET} {
		known, err := t.kernel.host.NeighList(t.link.Attrs().Index, family)
		if err != nil {
			return fmt.Errorf("list neighbours of %s: %w", TunnelLink, err)
		}
		for i := range known {
			if len(known[i].HardwareAddr) == 0 || t.nodes[known[i].HardwareAddr.String()] {
				continue
			}
			if err := t.kernel.host.NeighDel(&known[i]); err != nil && !errors.Is(err, unix.ENOENT) {
				failed = append(failed, fmt.Errorf("remove neighbour %s: %w", known[i].HardwareAddr, err))
			}
		}
	}
	return errors.Join(failed...)
}

// closeTunnel removes the link, and all that the kernel knows about it with it.
func (k *Kernel) closeTunnel() error {
	link, err := k.host.LinkByName(TunnelLink)
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		return nil
	}
	if err == nil {
		err = k.host.LinkDel(link)
	}
	if err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("remove link %s: %w", TunnelLink, err)
	}
	return nil
}
