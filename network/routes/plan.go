package routes

import (
	"cmp"
	"iter"
	"net/netip"
	"slices"

	v1 "k8s.io/api/core/v1"
)

// Peer is another node and the range of its pods.
type Peer struct {
	Node netip.Addr
	Pods netip.Prefix
}

// plan lists the nodes to which routes lead, in order of their ranges. A node that has no address or no range yet is left
// out, as is one whose range is not the cluster's, or overlaps that of a node before it: routes must not catch what is meant for others.
func plan(self string, cluster netip.Prefix, nodes iter.Seq[*v1.Node]) []Peer {
	var own netip.Prefix
	var peers []Peer
	for node := range nodes {
		p := peerOf(node)
		switch {
		case node.Name == self:
			own = p.Pods
		case !p.Node.Is4() || !p.Pods.IsValid() || p.Pods.Bits() < cluster.Bits() || !cluster.Contains(p.Pods.Addr()):
		default:
			peers = append(peers, p)
		}
	}
	slices.SortFunc(peers, func(a, b Peer) int {
		return cmp.Or(a.Pods.Addr().Compare(b.Pods.Addr()), cmp.Compare(a.Pods.Bits(), b.Pods.Bits()), a.Node.Compare(b.Node))
	})
	kept := peers[:0]
	for _, p := range peers {
		overlaps := own.IsValid() && own.Overlaps(p.Pods) || len(kept) > 0 && kept[len(kept)-1].Pods.Overlaps(p.Pods)
		if !overlaps {
			kept = append(kept, p)
		}
	}
	return kept
}

// peerOf is what of the node is known; the rest is invalid.
func peerOf(node *v1.Node) Peer {
	var p Peer
	if pods, err := netip.ParsePrefix(node.Spec.PodCIDR); err == nil {
		p.Pods = pods.Masked()
	}
	for _, a := range node.Status.Addresses {
		if addr, err := netip.ParseAddr(a.Address); err == nil && a.Type == v1.NodeInternalIP {
			p.Node = addr
			break
		}
	}
	return p
}
