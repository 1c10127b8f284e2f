// Package ruleset is what the data plane of a node should do, as a plain value: which addresses and ports lead to which
// pods. Package proxy computes it from the API's objects, package nft brings the kernel to it, and String is what tests read.
package ruleset

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Protocol is the transport of a frontend, an IP protocol number.
type Protocol uint8

// The protocols that Services have.
const (
	TCP  Protocol = 6
	UDP  Protocol = 17
	SCTP Protocol = 132
)

func (p Protocol) String() string {
	switch p {
	case TCP:
		return "tcp"
	case UDP:
		return "udp"
	case SCTP:
		return "sctp"
	}
	return fmt.Sprintf("protocol-%d", uint8(p))
}

// Frontend is where clients send to. An invalid Addr stands for every address of the node itself: a node port.
type Frontend struct {
	Addr  netip.Addr
	Proto Protocol
	Port  uint16
}

func (f Frontend) String() string {
	addr := "node"
	if f.Addr.IsValid() {
		addr = f.Addr.String()
	}
	return fmt.Sprintf("%s:%d/%s", addr, f.Port, f.Proto)
}

// Compare orders frontends by address, port and protocol.
func (f Frontend) Compare(g Frontend) int {
	return cmp.Or(f.Addr.Compare(g.Addr), cmp.Compare(f.Port, g.Port), cmp.Compare(f.Proto, g.Proto))
}

// Ruleset is the state wanted of the kernel. It does not change after it is made.
type Ruleset struct {
	// Pods is the range of all pods of the cluster, Services that of all cluster IPs: traffic between pods, and from pods
	// to cluster IPs, keeps its source address. What pods send elsewhere leaves under the node's address.
	Pods, Services netip.Prefix
	// Behind is a network that is known to this node alone: what comes from there and leaves the node, leaves under its
	// address too. Invalid: none.
	Behind netip.Prefix
	// Frontends maps each frontend to the name of its Backends.
	Frontends map[Frontend]string
	// Inside is where frontends lead clients inside the cluster, pods and the nodes themselves, if that is elsewhere: a Service
	// that keeps its clients' addresses leads those from outside to the node's own pods alone.
	Inside map[Frontend]string
	// Backends are the places that new connections are spread over, sorted, by name. None is empty.
	Backends map[string][]netip.AddrPort
	// Sticky names the Backends among which a client is led to the same one again, if its last connection is no longer
	// ago than the time given.
	Sticky map[string]time.Duration
	// Closed frontends have no backend; new connections are refused at once instead of left hanging.
	Closed []Frontend
	// Elsewhere are frontends for this node's own pods alone, of which there are none while other nodes have some. Nothing is
	// answered: whoever sent the client here will soon send it elsewhere, or it tries again.
	Elsewhere []Frontend
	// Guards are frontends that not everybody may use, with the networks, sorted, that clients may be in. Packets of others
	// are dropped.
	Guards map[Frontend][]netip.Prefix
	// Loops are the addresses of the node's own pods that are backends: a pod that is led to itself sees the
	// node's address as its client, since it would answer itself past the translation otherwise.
	Loops []netip.Addr
	// Checks are the Services whose health load balancers ask for, by port.
	Checks []Check
}

// Check is what a load balancer that asks the node about a Service is told.
type Check struct {
	Port            uint16
	Namespace, Name string // of the Service
	Local           int    // ready pods on this node
}

// String lists the rules, one a line, in a fixed order.
func (r *Ruleset) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "pods %s services %s\n", r.Pods, r.Services)
	for _, f := range slices.SortedFunc(maps.Keys(r.Frontends), Frontend.Compare) {
		fmt.Fprintf(&b, "%s -> %s\n", f, r.Frontends[f])
	}
	for _, f := range slices.SortedFunc(maps.Keys(r.Inside), Frontend.Compare) {
		fmt.Fprintf(&b, "%s from inside -> %s\n", f, r.Inside[f])
	}
	names := make([]string, 0, len(r.Backends))
	for n := range r.Backends {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		fmt.Fprintf(&b, "%s = %v", n, r.Backends[n])
		if since := r.Sticky[n]; since > 0 {
			fmt.Fprintf(&b, " sticky %s", since)
		}
		b.WriteString("\n")
	}
	for _, f := range r.Closed {
		fmt.Fprintf(&b, "%s closed\n", f)
	}
	for _, f := range r.Elsewhere {
		fmt.Fprintf(&b, "%s elsewhere\n", f)
	}
	for _, f := range slices.SortedFunc(maps.Keys(r.Guards), Frontend.Compare) {
		fmt.Fprintf(&b, "%s only from %v\n", f, r.Guards[f])
	}
	if len(r.Loops) > 0 {
		fmt.Fprintf(&b, "loops %v\n", r.Loops)
	}
	for _, c := range r.Checks {
		fmt.Fprintf(&b, "health :%d %s/%s: %d here\n", c.Port, c.Namespace, c.Name, c.Local)
	}
	return b.String()
}
