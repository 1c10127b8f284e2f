package nft_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"proa/internal/nstest"
	"proa/network/nft"
	"proa/network/podnet"
	"proa/network/ruleset"
)

// cluster is one node with pods and a client on another machine, all in network namespaces.
type cluster struct {
	t       *testing.T
	host    netns.NsHandle
	outside netns.NsHandle
	pods    map[string]netns.NsHandle
	addrs   map[string]netip.Addr
	kernel  *nft.Kernel
}

const nodeIP = "10.99.0.1"

func newCluster(t *testing.T, pods ...string) *cluster {
	c := &cluster{t: t, pods: map[string]netns.NsHandle{}, addrs: map[string]netip.Addr{}}
	c.host, _ = nstest.New(t, "host")
	c.outside, _ = nstest.New(t, "outside")
	link(t, c.host, c.outside)
	dir := t.TempDir()
	network, err := podnet.New(podnet.Config{
		Range: netip.MustParsePrefix("10.244.0.0/24"), NodeIP: netip.MustParseAddr(nodeIP),
		StateDir: dir, Socket: dir + "/cni.sock", Host: c.host,
	})
	if err != nil {
		t.Fatal(err)
	}
	err = network.EnsureNodeLink(podnet.NodeLink{Name: "proa0", Services: netip.MustParsePrefix("10.96.0.0/16"), Source: netip.MustParseAddr(nodeIP)})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pods {
		ns, path := nstest.New(t, p)
		a, err := network.Attach(p, path, "eth0")
		if err != nil {
			t.Fatal(err)
		}
		c.pods[p], c.addrs[p] = ns, a.Address
	}
	c.kernel, err = nft.New(nft.Config{Host: c.host, PodPrefix: podnet.LinkPrefix})
	if errors.Is(err, syscall.EPROTONOSUPPORT) {
		t.Skip("needs nftables in the kernel")
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// link puts a cable between the node and the machine outside.
func link(t *testing.T, host, outside netns.NsHandle) {
	t.Helper()
	for i, ns := range []netns.NsHandle{host, outside} {
		h, err := netlink.NewHandleAt(ns)
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		if i == 0 {
			pair := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "wire"}, PeerName: "wire", PeerNamespace: netlink.NsFd(outside)}
			if err := h.LinkAdd(pair); err != nil {
				t.Fatal(err)
			}
		}
		for _, up := range []string{"lo", "wire"} {
			l, err := h.LinkByName(up)
			if err != nil {
				t.Fatal(err)
			}
			if err := h.LinkSetUp(l); err != nil {
				t.Fatal(err)
			}
			if up == "wire" {
				addr, _ := netlink.ParseAddr([]string{nodeIP + "/24", "10.99.0.2/24"}[i])
				if err := h.AddrAdd(l, addr); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// serve answers every connection to a pod's port with the pod's name and the client's address.
func (c *cluster) serve(pod string, port int) {
	c.t.Helper()
	var l net.Listener
	var p net.PacketConn
	var err error
	addr := fmt.Sprintf(":%d", port)
	nstest.Do(c.t, c.pods[pod], func() {
		if l, err = net.Listen("tcp4", addr); err == nil {
			p, err = net.ListenPacket("udp4", addr)
		}
	})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { l.Close(); p.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			host, _, _ := net.SplitHostPort(conn.RemoteAddr().String())
			fmt.Fprintf(conn, "%s saw %s\n", pod, host)
			conn.Close()
		}
	}()
	go func() {
		buf := make([]byte, 100)
		for {
			_, from, err := p.ReadFrom(buf)
			if err != nil {
				return
			}
			p.WriteTo([]byte(pod+"\n"), from)
		}
	}()
}

// ask connects from a namespace and returns the answer, or "refused".
func (c *cluster) ask(from netns.NsHandle, addr string) string {
	c.t.Helper()
	var conn net.Conn
	var err error
	nstest.Do(c.t, from, func() { conn, err = net.Dial("tcp4", addr) })
	if errors.Is(err, syscall.ECONNREFUSED) {
		return "refused"
	}
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(line)
}

func (c *cluster) apply(r *ruleset.Ruleset) {
	c.t.Helper()
	r.Pods, r.Services = netip.MustParsePrefix("10.244.0.0/16"), netip.MustParsePrefix("10.96.0.0/16")
	if err := c.kernel.Apply(r); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) expect(what, got, want string) {
	c.t.Helper()
	if got != want {
		c.t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func front(addr string, port uint16) ruleset.Frontend {
	f := ruleset.Frontend{Proto: ruleset.TCP, Port: port}
	if addr != "" {
		f.Addr = netip.MustParseAddr(addr)
	}
	return f
}

func TestServices(t *testing.T) {
	c := newCluster(t, "a", "b", "client")
	c.serve("a", 8080)
	c.serve("b", 8080)
	a, b := netip.AddrPortFrom(c.addrs["a"], 8080), netip.AddrPortFrom(c.addrs["b"], 8080)
	client := c.addrs["client"].String()
	c.apply(&ruleset.Ruleset{
		Frontends: map[ruleset.Frontend]string{front("10.96.0.7", 80): "shop/web:http", front("", 30080): "shop/web:http", front("10.96.0.8", 80): "shop/one:http"},
		Backends:  map[string][]netip.AddrPort{"shop/web:http": {a, b}, "shop/one:http": {a}},
		Closed:    []ruleset.Frontend{front("10.96.0.9", 80)},
		Loops:     []netip.Addr{c.addrs["a"], c.addrs["b"]},
	})
	seen := map[string]bool{}
	for range 64 {
		seen[c.ask(c.pods["client"], "10.96.0.7:80")] = true
	}
	if len(seen) != 2 || !seen["a saw "+client] || !seen["b saw "+client] {
		t.Errorf("a cluster IP leads to both pods and keeps the source: %v", seen)
	}
	c.expect("from the node", c.ask(c.host, "10.96.0.8:80"), "a saw "+nodeIP)
	c.expect("a pod led to itself", c.ask(c.pods["a"], "10.96.0.8:80"), "a saw "+nodeIP)
	if got := c.ask(c.outside, nodeIP+":30080"); !strings.HasSuffix(got, " saw 10.99.0.2") {
		t.Errorf("node port from outside: %q, want the client's own address", got)
	}
	if got := c.ask(c.host, nodeIP+":30080"); !strings.HasSuffix(got, " saw "+nodeIP) {
		t.Errorf("node port from the node: %q", got)
	}
	c.expect("no backend, from a pod", c.ask(c.pods["client"], "10.96.0.9:80"), "refused")
	c.expect("no backend, from the node", c.ask(c.host, "10.96.0.9:80"), "refused")
	c.expect("loopback is no node port", c.ask(c.host, "127.0.0.1:30080"), "refused")
}

// TestLocalTraffic: a frontend that leads clients outside to this node's pods alone, or nowhere, leads those inside to all.
func TestLocalTraffic(t *testing.T) {
	c := newCluster(t, "here", "there", "client")
	c.serve("here", 8080)
	c.serve("there", 8080)
	here, there := netip.AddrPortFrom(c.addrs["here"], 8080), netip.AddrPortFrom(c.addrs["there"], 8080)
	c.apply(&ruleset.Ruleset{
		Frontends: map[ruleset.Frontend]string{front("", 30080): "shop/web:80@here"},
		Inside:    map[ruleset.Frontend]string{front("", 30080): "shop/web:80", front("", 30081): "shop/far:80", front("192.0.2.1", 80): "shop/far:80"},
		Backends:  map[string][]netip.AddrPort{"shop/web:80@here": {here}, "shop/web:80": {there}, "shop/far:80": {there}},
		Elsewhere: []ruleset.Frontend{front("", 30081), front("192.0.2.1", 80), front("10.96.0.7", 80), front(nodeIP, 8443)},
	})
	c.expect("from outside", c.ask(c.outside, nodeIP+":30080"), "here saw 10.99.0.2")
	c.expect("from a pod", c.ask(c.pods["client"], nodeIP+":30080"), "there saw "+c.addrs["client"].String())
	c.expect("from the node", c.ask(c.host, nodeIP+":30080"), "there saw "+nodeIP)
	for _, addr := range []string{nodeIP + ":30081", nodeIP + ":8443"} {
		c.expect("none here, from outside: "+addr, c.silent(c.outside, addr), "silence")
	}
	c.expect("a cluster IP, none here, from a pod", c.silent(c.pods["client"], "10.96.0.7:80"), "silence")
	c.expect("a cluster IP, none here, from the node", c.silent(c.host, "10.96.0.7:80"), "silence")
	c.expect("another port, from outside", c.silent(c.outside, nodeIP+":30082"), "refused")
	c.expect("none here, from a pod", c.ask(c.pods["client"], nodeIP+":30081"), "there saw "+c.addrs["client"].String())
	c.expect("a balancer's address, from a pod", c.ask(c.pods["client"], "192.0.2.1:80"), "there saw "+c.addrs["client"].String())
	c.apply(&ruleset.Ruleset{})
	c.expect("removed, from a pod", c.ask(c.pods["client"], nodeIP+":30080"), "refused")
	c.expect("no longer elsewhere, from outside", c.ask(c.outside, nodeIP+":30081"), "refused")
}

// silent says how an attempt to connect ends: "silence" if nothing was answered for a second, "<nil>" if it connected.
func (c *cluster) silent(from netns.NsHandle, addr string) string {
	c.t.Helper()
	var err error
	nstest.Do(c.t, from, func() {
		var conn net.Conn
		if conn, err = net.DialTimeout("tcp4", addr, time.Second); err == nil {
			conn.Close()
		}
	})
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "silence"
	}
	return fmt.Sprint(err)
}

// TestGuards: a frontend that is for some networks only drops the packets of others, whether they come from elsewhere or from here.
func TestGuards(t *testing.T) {
	c := newCluster(t, "a")
	c.serve("a", 8080)
	backend := netip.AddrPortFrom(c.addrs["a"], 8080)
	for _, step := range []struct {
		ranges  []string
		outside bool
		node    bool
	}{
		{nil, true, true},
		{[]string{nodeIP + "/32"}, false, true},
		{[]string{"10.99.0.2/32", "192.0.2.0/24"}, true, false},
		{[]string{"10.99.0.0/24"}, true, true},
		{nil, true, true},
	} {
		r := &ruleset.Ruleset{
			Frontends: map[ruleset.Frontend]string{front(nodeIP, 8443): "shop/web:http", front(nodeIP, 8444): "shop/web:http"},
			Backends:  map[string][]netip.AddrPort{"shop/web:http": {backend}}, Guards: map[ruleset.Frontend][]netip.Prefix{},
		}
		for _, text := range step.ranges {
			r.Guards[front(nodeIP, 8443)] = append(r.Guards[front(nodeIP, 8443)], netip.MustParsePrefix(text))
		}
		c.apply(r)
		for from, expected := range map[netns.NsHandle]bool{c.outside: step.outside, c.host: step.node} {
			if got := c.silent(from, nodeIP+":8443"); (got == "<nil>") != expected || !expected && got != "silence" {
				t.Errorf("only from %v: %s, expected an answer: %v", step.ranges, got, expected)
			}
			c.expect("the other port", c.silent(from, nodeIP+":8444"), "<nil>")
		}
	}
}

func TestChangesAndRestart(t *testing.T) {
	c := newCluster(t, "a", "b", "client")
	c.serve("a", 8080)
	c.serve("b", 8080)
	a, b := netip.AddrPortFrom(c.addrs["a"], 8080), netip.AddrPortFrom(c.addrs["b"], 8080)
	client, vip := c.addrs["client"].String(), "10.96.0.7:80"
	one := func(backends ...netip.AddrPort) *ruleset.Ruleset {
		return &ruleset.Ruleset{
			Frontends: map[ruleset.Frontend]string{front("10.96.0.7", 80): "shop/web:http"},
			Backends:  map[string][]netip.AddrPort{"shop/web:http": backends},
		}
	}
	c.apply(one(a))
	c.expect("first", c.ask(c.pods["client"], vip), "a saw "+client)
	c.apply(one(b))
	c.expect("backend replaced", c.ask(c.pods["client"], vip), "b saw "+client)
	c.apply(&ruleset.Ruleset{Closed: []ruleset.Frontend{front("10.96.0.7", 80)}})
	c.expect("backends gone", c.ask(c.pods["client"], vip), "refused")
	c.apply(one(a))
	c.expect("backends back", c.ask(c.pods["client"], vip), "a saw "+client)

	var err error
	c.kernel, err = nft.New(nft.Config{Host: c.host, PodPrefix: podnet.LinkPrefix})
	if err != nil {
		t.Fatal(err)
	}
	c.expect("the rules outlive their process", c.ask(c.pods["client"], vip), "a saw "+client)
	c.apply(one(b))
	c.expect("a new process takes over", c.ask(c.pods["client"], vip), "b saw "+client)

	for range 2 {
		if err := c.kernel.Remove(); err != nil {
			t.Errorf("remove: %v", err)
		}
	}
}

func TestUDPFlowsFollowTheirBackends(t *testing.T) {
	c := newCluster(t, "a", "b", "client")
	c.serve("a", 53)
	c.serve("b", 53)
	rules := func(pod string) *ruleset.Ruleset {
		return &ruleset.Ruleset{
			Frontends: map[ruleset.Frontend]string{{Addr: netip.MustParseAddr("10.96.0.10"), Proto: ruleset.UDP, Port: 53}: "kube-system/dns:dns"},
			Backends:  map[string][]netip.AddrPort{"kube-system/dns:dns": {netip.AddrPortFrom(c.addrs[pod], 53)}},
		}
	}
	c.apply(rules("a"))
	var conn net.Conn
	var err error
	nstest.Do(t, c.pods["client"], func() { conn, err = net.Dial("udp4", "10.96.0.10:53") })
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ask := func() string {
		fmt.Fprintln(conn, "who?")
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(line)
	}
	c.expect("first", ask(), "a")
	c.apply(rules("b"))
	c.expect("the same socket after the backend changed", ask(), "b")
}
