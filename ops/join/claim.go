package join

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	v1 "k8s.io/api/core/v1"
)

// What a Node remembers of how it joined.
const (
	annotationKey    = "node.proa.local/key"    // hash of the key that the node's client certificate is for
	annotationJoined = "node.proa.local/joined" // when it got its last certificate
)

// settling is how long a node that just joined counts as alive without a heartbeat.
const settling = 5 * time.Minute

// claim is somebody's wish to be a node.
type claim struct {
	key    string // hash of the key that a certificate is asked for
	holder string // hash of the key of the certificate that it was asked with, empty with a token
}

// refuse says why the claim may not have the node's name, or nothing. node and lease are nil if there are none. A name is
// taken when a node that is alive has it under another key; a certificate of a key that lost the name counts for nothing.
func (c claim) refuse(name string, node *v1.Node, lease *coordinationv1.Lease, now time.Time) string {
	if node == nil {
		return ""
	}
	known := node.Annotations[annotationKey]
	switch {
	case known == c.key: // asked again: the answer was lost
		return ""
	case c.holder != "" && (known == c.holder || known == ""):
		return ""
	case c.holder != "":
		return fmt.Sprintf("another machine has joined as node %q since: start this one with the token and another --node-name", name)
	case alive(node, lease, now):
		return fmt.Sprintf("node %q is taken by another machine that is alive: give this one another --node-name, or stop that one and try again in a minute", name)
	}
	return ""
}

// alive says whether the node has given a sign of life that is not yet forgotten.
func alive(node *v1.Node, lease *coordinationv1.Lease, now time.Time) bool {
	beaten := lease != nil && lease.Spec.RenewTime != nil && lease.Spec.LeaseDurationSeconds != nil
	joined, err := time.Parse(time.RFC3339, node.Annotations[annotationJoined])
	if err == nil && now.Sub(joined) < settling && (!beaten || lease.Spec.RenewTime.Time.Before(joined)) {
		return true // it is starting
	}
	if !beaten {
		return false
	}
	return now.Before(lease.Spec.RenewTime.Add(time.Duration(*lease.Spec.LeaseDurationSeconds) * time.Second))
}

// reservedName says that a name is the API server's: a node's serving certificate bears the node's name.
func reservedName(name string, reserved []string) bool {
	if name == "localhost" || name == "kubernetes" || strings.HasPrefix(name, "kubernetes.") {
		return true
	}
	for _, r := range reserved {
		if name == r {
			return true
		}
	}
	return false
}

// nodeBits is the size of a node's range: 254 pods and a gateway.
const nodeBits = 24

// freeRange is the range for a node's pods: wanted if it may have that, else the first that no other has. ok is false when
// none is left.
func freeRange(all, wanted netip.Prefix, taken []netip.Prefix) (netip.Prefix, bool) {
	free := func(p netip.Prefix) bool {
		for _, t := range taken {
			if t.Overlaps(p) {
				return false
			}
		}
		return true
	}
	if wanted.IsValid() && wanted.Bits() >= all.Bits() && all.Contains(wanted.Addr()) && wanted == wanted.Masked() && free(wanted) {
		return wanted, true
	}
	bits := max(nodeBits, all.Bits())
	for p := netip.PrefixFrom(all.Masked().Addr(), bits); all.Contains(p.Addr()); p = next(p) {
		if free(p) {
			return p, true
		}
	}
	return netip.Prefix{}, false
}

// next is the range of the same size behind p; its address is not valid behind the last.
func next(p netip.Prefix) netip.Prefix {
	b := p.Addr().As4()
	n := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	step := uint32(1) << (32 - p.Bits())
	if n+step < n {
		return netip.Prefix{}
	}
	n += step
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}), p.Bits())
}
