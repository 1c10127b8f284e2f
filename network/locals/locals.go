// Package locals gives further nodes on one machine a network namespace each, with a cable to the bridge that holds the
// machine's own node address, so that each has what a machine has: addresses, routes, packet rules and ports of its own.
//
// It owns the namespaces and cables that it makes, until Remove; daemon calls it.
package locals

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Space is the network of one node.
type Space struct {
	Name    string       // of the namespace, as `ip netns` shows it
	Cable   string       // link of the host, at most 15 letters
	Bridge  string       // that the cable is plugged into
	Address netip.Prefix // of the node, in the network of the bridge
	Gateway netip.Addr   // the host's address on the bridge
}

// inner is the cable's name at the node's end.
const inner = "eth0"

// spaces is where the kernel keeps namespaces that have a name.
const spaces = "/run/netns"

// Ensure makes the namespace and the cable, keeping what is there.
func (s Space) Ensure() error {
	if _, err := os.Stat(s.path()); err != nil {
		// A new namespace becomes that of its maker.
		err := onThread(func() error {
			ns, err := netns.NewNamed(s.Name)
			if err != nil {
				return fmt.Errorf("make network namespace %s: %w", s.Name, err)
			}
			return ns.Close()
		})
		if err != nil {
			return err
		}
	}
	ns, err := netns.GetFromName(s.Name)
	if err != nil {
		return fmt.Errorf("open network namespace %s: %w", s.Name, err)
	}
	defer ns.Close()
	if err := s.plug(ns); err != nil {
		return err
	}
	return s.configure(ns)
}

// plug lays the cable from the bridge into the namespace.
func (s Space) plug(ns netns.NsHandle) error {
	bridge, err := netlink.LinkByName(s.Bridge)
	if err != nil {
		return fmt.Errorf("find link %s: %w", s.Bridge, err)
	}
	pair := &netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: s.Cable, MasterIndex: bridge.Attrs().Index},
		PeerName:  inner, PeerNamespace: netlink.NsFd(ns),
	}
	if err := netlink.LinkAdd(pair); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("make cable %s: %w", s.Cable, err)
	}
	cable, err := netlink.LinkByName(s.Cable)
	if err == nil {
		err = netlink.LinkSetMaster(cable, bridge)
	}
	if err == nil {
		// Where the kernel has bridges pass packet rules, a connection that comes from the node and is led back to it is
		// bridged, not routed, and would not leave by the port that it came by.
		err = netlink.LinkSetHairpin(cable, true)
	}
	if err == nil {
		err = netlink.LinkSetUp(cable)
	}
	if err != nil {
		return fmt.Errorf("plug cable %s into %s: %w", s.Cable, s.Bridge, err)
	}
	return nil
}

// configure gives the node its address, and the host as the way to everywhere else.
func (s Space) configure(ns netns.NsHandle) error {
	h, err := netlink.NewHandleAt(ns)
	if err != nil {
		return fmt.Errorf("open netlink of %s: %w", s.Name, err)
	}
	defer h.Close()
	lo, err := h.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("network of %s: find lo: %w", s.Name, err)
	}
	cable, err := h.LinkByName(inner)
	if err != nil {
		return fmt.Errorf("network of %s: find %s: %w", s.Name, inner, err)
	}
	address := &netlink.Addr{IPNet: &net.IPNet{IP: s.Address.Addr().AsSlice(), Mask: net.CIDRMask(s.Address.Bits(), 32)}}
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"set lo up", func() error { return h.LinkSetUp(lo) }},
		{"set address", func() error { return h.AddrReplace(cable, address) }},
		{"set link up", func() error { return h.LinkSetUp(cable) }},
		{"set route", func() error {
			return h.RouteReplace(&netlink.Route{LinkIndex: cable.Attrs().Index, Gw: s.Gateway.AsSlice()})
		}},
	} {
		if err := step.do(); err != nil {
			return fmt.Errorf("network of %s: %s: %w", s.Name, step.what, err)
		}
	}
	return nil
}

// Inside calls f in the namespace, on a thread that ends with it: a process that f starts is in the namespace too, and may
// ask to be told when its parent thread ends, if f waits for it.
func (s Space) Inside(f func() error) error {
	return onThread(func() error {
		ns, err := netns.GetFromName(s.Name)
		if err != nil {
			return fmt.Errorf("open network namespace %s: %w", s.Name, err)
		}
		defer ns.Close()
		if err := netns.Set(ns); err != nil {
			return fmt.Errorf("enter network namespace %s: %w", s.Name, err)
		}
		return f()
	})
}

// onThread calls f on a thread that is used for nothing else.
func onThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		done <- f()
	}()
	return <-done
}

// Remove takes the namespace away, and with it its links, routes and packet rules. It is no error if it is not there.
func (s Space) Remove() error {
	if _, err := os.Stat(s.path()); err == nil {
		if err := netns.DeleteNamed(s.Name); err != nil {
			return fmt.Errorf("remove network namespace %s: %w", s.Name, err)
		}
	}
	// A process that still ends holds the namespace, and the cable with it.
	cable, err := netlink.LinkByName(s.Cable)
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		return nil
	}
	if err == nil {
		err = netlink.LinkDel(cable)
	}
	if err != nil && !errors.Is(err, unix.ENODEV) && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("remove cable %s: %w", s.Cable, err)
	}
	return nil
}

func (s Space) path() string { return filepath.Join(spaces, s.Name) }
