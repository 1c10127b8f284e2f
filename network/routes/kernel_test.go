package routes_test

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"proa/internal/nstest"
	"proa/network/routes"
)

// machine is a node in a network namespace, with one of its pods' addresses on lo.
type machine struct {
	t      *testing.T
	ns     netns.NsHandle
	ip     *netlink.Handle
	kernel *routes.Kernel
	peer   routes.Peer
}

// newMachine makes a machine without a cable.
func newMachine(t *testing.T, number int, address string) *machine {
	t.Helper()
	ns, _ := nstest.New(t, fmt.Sprintf("routes%d", number))
	ip, err := netlink.NewHandleAt(ns)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ip.Close)
	m := &machine{t: t, ns: ns, ip: ip, peer: routes.Peer{Node: netip.MustParseAddr(address), Pods: netip.MustParsePrefix(fmt.Sprintf("10.244.%d.0/24", number))}}
	m.up("lo", m.pod()+"/32")
	nstest.Do(t, ns, func() { err = os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644) }) // as podnet does
	if err != nil {
		t.Fatal(err)
	}
	m.kernel, err = routes.NewKernel(m.peer.Node, m.peer.Pods, ns)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *machine) pod() string { return m.peer.Pods.Addr().Next().String() }

func (m *machine) link(name string) netlink.Link {
	m.t.Helper()
	link, err := m.ip.LinkByName(name)
	if err != nil {
		m.t.Fatal(err)
	}
	return link
}

func (m *machine) up(name string, addresses ...string) {
	m.t.Helper()
	link := m.link(name)
	for _, a := range addresses {
		addr, err := netlink.ParseAddr(a)
		if err != nil {
			m.t.Fatal(err)
		}
		if err := m.ip.AddrAdd(link, addr); err != nil {
			m.t.Fatal(err)
		}
	}
	if err := m.ip.LinkSetUp(link); err != nil {
		m.t.Fatal(err)
	}
}

// cable connects two machines; each end is named after the other machine's address.
func cable(a, b *machine) (nameA, nameB string) {
	a.t.Helper()
	nameA, nameB = "to-"+b.peer.Pods.Addr().String()[7:], "to-"+a.peer.Pods.Addr().String()[7:]
	pair := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: nameA}, PeerName: nameB, PeerNamespace: netlink.NsFd(b.ns)}
	if err := a.ip.LinkAdd(pair); err != nil {
		a.t.Fatal(err)
	}
	return nameA, nameB
}

func (m *machine) route(to, via string) {
	m.t.Helper()
	_, dst, err := net.ParseCIDR(to)
	if err != nil {
		m.t.Fatal(err)
	}
	if err := m.ip.RouteAdd(&netlink.Route{Dst: dst, Gw: net.ParseIP(via)}); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) apply(peers ...routes.Peer) string {
	m.t.Helper()
	ways, err := m.kernel.Apply(peers)
	if err != nil {
		m.t.Fatal(err)
	}
	return ways
}

// reaches sends from a pod of one machine to a pod of another and back.
func (m *machine) reaches(to *machine) {
	m.t.Helper()
	var listener net.Listener
	var err error
	nstest.Do(m.t, to.ns, func() { listener, err = net.Listen("tcp", to.pod()+":80") })
	if err != nil {
		m.t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		if conn, err := listener.Accept(); err == nil {
			fmt.Fprint(conn, conn.RemoteAddr().(*net.TCPAddr).IP)
			conn.Close()
		}
	}()
	var conn net.Conn
	nstest.Do(m.t, m.ns, func() {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(m.pod())}}
		conn, err = dialer.DialContext(m.t.Context(), "tcp", listener.Addr().String())
	})
	if err != nil {
		m.t.Fatal(err)
	}
	defer conn.Close()
	seen, err := io.ReadAll(conn)
	if err != nil || string(seen) != m.pod() {
		m.t.Errorf("the other pod saw %q (%v), want %s", seen, err, m.pod())
	}
}

func (m *machine) hasTunnel() bool {
	_, err := m.ip.LinkByName(routes.TunnelLink)
	return err == nil
}

func TestRoutes(t *testing.T) {
	// a and b share a link; c is behind a router, which knows nothing of pods.
	a, b, c := newMachine(t, 1, "192.168.1.1"), newMachine(t, 2, "192.168.1.2"), newMachine(t, 3, "192.168.2.3")
	router := newMachine(t, 9, "192.168.9.9")
	toB, toA := cable(a, b)
	a.up(toB, "192.168.1.1/24")
	b.up(toA, "192.168.1.2/24")
	fromB, toRouter := cable(router, b)
	router.up(fromB, "192.168.3.1/24")
	b.up(toRouter, "192.168.3.2/24")
	fromC, uplink := cable(router, c)
	router.up(fromC, "192.168.2.1/24")
	c.up(uplink, "192.168.2.3/24")
	c.route("192.168.0.0/16", "192.168.2.1")
	router.route("192.168.1.0/24", "192.168.3.2")
	b.route("192.168.2.0/24", "192.168.3.1")
	a.route("192.168.2.0/24", "192.168.1.2")

	if got, want := a.apply(b.peer, c.peer), "10.244.2.0/24 via 192.168.1.2, 10.244.3.0/24 through a tunnel to 192.168.2.3"; got != want {
		t.Errorf("routes of a: %s, want %s", got, want)
	}
	b.apply(a.peer, c.peer)
	c.apply(a.peer, b.peer)
	for _, m := range []*machine{a, b, c} {
		for _, other := range []*machine{a, b, c} {
			if m != other {
				m.reaches(other)
			}
		}
	}

	// Once more changes nothing; a node that went takes its route along, and the last one the tunnel.
	a.apply(b.peer, c.peer)
	a.reaches(c)
	if got, want := a.apply(b.peer), "10.244.2.0/24 via 192.168.1.2"; got != want || a.hasTunnel() {
		t.Errorf("routes of a: %s, want %s; tunnel: %v", got, want, a.hasTunnel())
	}
	a.apply(b.peer, c.peer)
	a.reaches(c)

	// What the kernel drops when a link goes down comes back; links that come and go are told of.
	changed := make(chan struct{}, 100)
	if err := a.kernel.OnChange(t.Context(), func() { changed <- struct{}{} }); err != nil {
		t.Fatal(err)
	}
	if err := a.ip.LinkSetDown(a.link(toB)); err != nil {
		t.Fatal(err)
	}
	<-changed
	if ways, err := a.kernel.Apply([]routes.Peer{b.peer}); err == nil {
		t.Errorf("no way to a node is no error: %s", ways)
	} else if !strings.Contains(err.Error(), "192.168.1.2") {
		t.Errorf("the error names no node: %v", err)
	}
	a.up(toB)
	<-changed
	a.apply(b.peer)
	a.reaches(b)

	for _, m := range []*machine{a, b, c} {
		if err := m.kernel.Remove(); err != nil {
			t.Error(err)
		}
		left, err := m.ip.RouteList(nil, netlink.FAMILY_V4)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range left {
			if r.Dst != nil && strings.HasPrefix(r.Dst.String(), "10.244.") {
				t.Errorf("left: %v", r)
			}
		}
		if m.hasTunnel() {
			t.Error("the tunnel is left")
		}
	}
}
