package podnet

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// LinkPrefix starts the name of the host end of every pod's veth pair.
const LinkPrefix = "pv"

// gateway is the next hop of every pod. No link has this address: pods know its hardware address by heart.
var gateway = netip.MustParseAddr("169.254.1.1")

// hostMAC is the hardware address of the host end of every pair. It may repeat, since each pair is a link of its own.
var hostMAC = net.HardwareAddr{0xee, 0xee, 0xee, 0xee, 0xee, 0xee}

// Attachment is how a sandbox is connected.
type Attachment struct {
	Address  netip.Addr
	HostLink string
	HostMAC  string
	PodLink  string
	PodMAC   string
}

// hostLink names the host end of a sandbox's pair, at most 15 bytes.
func hostLink(containerID string) string {
	sum := sha256.Sum256([]byte(containerID))
	return LinkPrefix + hex.EncodeToString(sum[:6])
}

// wire makes the veth pair and the routes at both ends. Every step may find its work done.
func (n *Network) wire(containerID string, ns netns.NsHandle, ifName string, addr netip.Addr) (Attachment, error) {
	name := hostLink(containerID)
	pair := &netlink.Veth{
		LinkAttrs:        netlink.LinkAttrs{Name: name, MTU: n.cfg.MTU, HardwareAddr: hostMAC},
		PeerName:         ifName,
		PeerMTU:          uint32(n.cfg.MTU),
		PeerHardwareAddr: podMAC(addr),
		PeerNamespace:    netlink.NsFd(ns),
	}
	if err := n.host.LinkAdd(pair); err != nil && !errors.Is(err, unix.EEXIST) {
		return Attachment{}, fmt.Errorf("make veth pair %s: %w", name, err)
	}
	if err := wirePod(ns, ifName, addr); err != nil {
		return Attachment{}, err
	}
	if err := n.wireHost(name, addr); err != nil {
		return Attachment{}, err
	}
	return Attachment{Address: addr, HostLink: name, HostMAC: hostMAC.String(), PodLink: ifName, PodMAC: podMAC(addr).String()}, nil
}

// wirePod sets up the end inside the sandbox.
func wirePod(ns netns.NsHandle, ifName string, addr netip.Addr) error {
	pod, err := netlink.NewHandleAt(ns)
	if err != nil {
		return fmt.Errorf("open netlink in sandbox: %w", err)
	}
	defer pod.Close()
	if lo, err := pod.LinkByName("lo"); err == nil {
		if err := pod.LinkSetUp(lo); err != nil {
			return fmt.Errorf("set loopback up: %w", err)
		}
	}
	link, err := pod.LinkByName(ifName)
	if err != nil {
		return fmt.Errorf("find %s in sandbox: %w", ifName, err)
	}
	index := link.Attrs().Index
	steps := []struct {
		what string
		do   func() error
	}{
		{"set address", func() error { return pod.AddrReplace(link, &netlink.Addr{IPNet: hostNet(addr)}) }},
		{"set link up", func() error { return pod.LinkSetUp(link) }},
		{"set neighbour", func() error { return pod.NeighSet(neighbour(index, gateway, hostMAC)) }},
		{"set route to gateway", func() error {
			return pod.RouteReplace(&netlink.Route{LinkIndex: index, Dst: hostNet(gateway), Scope: netlink.SCOPE_LINK})
		}},
		{"set default route", func() error {
			return pod.RouteReplace(&netlink.Route{LinkIndex: index, Gw: gateway.AsSlice()})
		}},
	}
	for _, s := range steps {
		if err := s.do(); err != nil {
			return fmt.Errorf("%s of %s in sandbox: %w", s.what, ifName, err)
		}
	}
	return nil
}

// wireHost sets up the host's end.
func (n *Network) wireHost(name string, addr netip.Addr) error {
	link, err := n.host.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find link %s: %w", name, err)
	}
	index := link.Attrs().Index
	if err := n.host.LinkSetUp(link); err != nil {
		return fmt.Errorf("set link %s up: %w", name, err)
	}
	if err := n.host.NeighSet(neighbour(index, addr, podMAC(addr))); err != nil {
		return fmt.Errorf("set neighbour %s: %w", addr, err)
	}
	route := &netlink.Route{LinkIndex: index, Dst: hostNet(addr), Scope: netlink.SCOPE_LINK, Src: n.cfg.NodeIP.AsSlice()}
	if err := n.host.RouteReplace(route); err != nil {
		return fmt.Errorf("set route to %s: %w", addr, err)
	}
	return nil
}

// unwire removes the pair; the kernel removes routes and neighbours with it.
func (n *Network) unwire(containerID string) error {
	name := hostLink(containerID)
	link, err := n.host.LinkByName(name)
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find link %s: %w", name, err)
	}
	if err := n.host.LinkDel(link); err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("remove link %s: %w", name, err)
	}
	return nil
}

// forward lets the node pass packets on. The setting belongs to a network namespace, so the file must be written by a
// thread inside it; the thread ends with its goroutine, since it is never unlocked.
func (n *Network) forward() error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		if err := netns.Set(n.cfg.Host); err != nil {
			done <- fmt.Errorf("enter network namespace: %w", err)
			return
		}
		done <- os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1\n"), 0o644)
	}()
	if err := <-done; err != nil {
		return fmt.Errorf("enable forwarding: %w", err)
	}
	return nil
}

// podMAC is derived from the address, so that both ends can be set up without asking.
func podMAC(addr netip.Addr) net.HardwareAddr {
	ip := addr.As4()
	return net.HardwareAddr{0x0a, 0x58, ip[0], ip[1], ip[2], ip[3]}
}

func hostNet(addr netip.Addr) *net.IPNet {
	return &net.IPNet{IP: addr.AsSlice(), Mask: net.CIDRMask(addr.BitLen(), addr.BitLen())}
}

func neighbour(index int, addr netip.Addr, mac net.HardwareAddr) *netlink.Neigh {
	return &netlink.Neigh{LinkIndex: index, State: netlink.NUD_PERMANENT, IP: addr.AsSlice(), HardwareAddr: mac}
}
