package nft_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"proa/network/nft"
	"proa/network/podnet"
	"proa/network/ruleset"
)

// A restart brings all Services of a big cluster into force in one transaction.
func TestManyServices(t *testing.T) {
	c := newCluster(t, "a", "client")
	c.serve("a", 8080)
	const services = 1000
	r := &ruleset.Ruleset{
		Frontends: map[ruleset.Frontend]string{}, Backends: map[string][]netip.AddrPort{}, Sticky: map[string]time.Duration{},
	}
	for i := range services {
		name := fmt.Sprintf("shop/web-%d:http", i)
		r.Frontends[front(fmt.Sprintf("10.96.%d.%d", 1+i/250, 1+i%250), 80)] = name
		r.Frontends[front("", uint16(20000+i))] = name
		r.Backends[name] = []netip.AddrPort{netip.AddrPortFrom(c.addrs["a"], 8080), netip.AddrPortFrom(c.addrs["a"], 8081), netip.AddrPortFrom(c.addrs["a"], 8082)}
		if i%20 == 0 {
			r.Sticky[name] = time.Hour
		}
		r.Closed = append(r.Closed, front(fmt.Sprintf("10.96.%d.%d", 1+i/250, 1+i%250), 81))
	}
	last := "shop/web-999:http"
	r.Backends[last] = r.Backends[last][:1]
	c.apply(r)
	client := c.addrs["client"].String()
	c.expect("the last of many", c.ask(c.pods["client"], "10.96.4.250:80"), "a saw "+client)
	var err error
	if c.kernel, err = nft.New(nft.Config{Host: c.host, PodPrefix: podnet.LinkPrefix}); err != nil {
		t.Fatal(err)
	}
	c.apply(r)
	c.expect("after a restart", c.ask(c.pods["client"], "10.96.4.250:80"), "a saw "+client)
	c.apply(&ruleset.Ruleset{})
}
