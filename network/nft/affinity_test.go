package nft_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/nftables"

	"proa/network/nft"
	"proa/network/podnet"
	"proa/network/ruleset"
)

func TestClientsKeepTheirBackend(t *testing.T) {
	c := newCluster(t, "a", "b", "d", "client")
	var all []netip.AddrPort
	for _, pod := range []string{"a", "b", "d"} {
		c.serve(pod, 8080)
		all = append(all, netip.AddrPortFrom(c.addrs[pod], 8080))
	}
	rules := func(keep time.Duration, backends ...netip.AddrPort) *ruleset.Ruleset {
		return &ruleset.Ruleset{
			Frontends: map[ruleset.Frontend]string{front("10.96.0.7", 80): "shop/cart:80", front("", 30080): "shop/cart:80"},
			Backends:  map[string][]netip.AddrPort{"shop/cart:80": backends},
			Sticky:    map[string]time.Duration{"shop/cart:80": keep},
		}
	}
	answers := func(addr string) map[string]int {
		seen := map[string]int{}
		for range 40 {
			seen[c.ask(c.pods["client"], addr)[:1]]++
		}
		return seen
	}
	kept := func(what, addr string) string {
		t.Helper()
		seen := answers(addr)
		if len(seen) != 1 {
			t.Errorf("%s: the client goes from backend to backend: %v", what, seen)
		}
		for pod := range seen {
			return pod
		}
		return ""
	}
	const vip = "10.96.0.7:80"
	c.apply(rules(time.Hour, all...))
	first := kept("at first", vip)
	c.expectTimeout("clients-to-shop/cart/80", time.Hour)
	c.expect("by the node port", kept("by the node port", nodeIP+":30080"), first)

	var others []netip.AddrPort
	for _, b := range all {
		if b.Addr() != c.addrs[first] {
			others = append(others, b)
		}
	}
	c.apply(rules(time.Hour, others...))
	second := kept("after its backend went", vip)
	c.apply(rules(2*time.Hour, all...))
	c.expect("after the old backend came back, and with another time", kept("after it came back", vip), second)

	c.expectTimeout("clients-to-shop/cart/80", 2*time.Hour)
	for range 5 {
		var err error
		if c.kernel, err = nft.New(nft.Config{Host: c.host, PodPrefix: podnet.LinkPrefix}); err != nil {
			t.Fatal(err)
		}
		c.apply(rules(time.Hour, all...))
		c.expect("in a new process", c.ask(c.pods["client"], vip)[:1], second)
	}

	c.apply(rules(0, all...))
	if seen := answers(vip); len(seen) < 2 {
		t.Errorf("without affinity the client is spread: %v", seen)
	}
	c.apply(rules(time.Hour, all...))
	kept("with affinity again", vip)
	c.apply(&ruleset.Ruleset{Closed: []ruleset.Frontend{front("10.96.0.7", 80)}})
	c.expect("no backend", c.ask(c.pods["client"], vip), "refused")
	c.apply(rules(time.Hour, all...))
	kept("from nothing", vip)
}

// expectTimeout wants one client in the map, kept for so long.
func (c *cluster) expectTimeout(clients string, keep time.Duration) {
	c.t.Helper()
	conn, err := nftables.New(nftables.WithNetNSFd(int(c.host)))
	if err != nil {
		c.t.Fatal(err)
	}
	set, err := conn.GetSetByName(&nftables.Table{Name: nft.TableName, Family: nftables.TableFamilyIPv4}, clients)
	if err != nil {
		c.t.Fatal(err)
	}
	elements, err := conn.GetSetElements(set)
	if err != nil {
		c.t.Fatal(err)
	}
	if len(elements) != 1 || elements[0].Expires > keep || elements[0].Expires < keep-30*time.Minute {
		c.t.Errorf("remembered clients: %v, want one for %s", elements, keep)
	}
}
