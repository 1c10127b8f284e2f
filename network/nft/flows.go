package nft

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"proa/network/ruleset"
)

// forgetFlows removes the connection tracker's memory of UDP flows whose backends changed: without a handshake a client
// that keeps its port would be led to the old place for as long as it sends.
func (k *Kernel) forgetFlows(before, after *ruleset.Ruleset) error {
	stale := staleFlows{}
	for _, frontends := range []map[ruleset.Frontend]string{before.Frontends, before.Inside, after.Frontends, after.Inside} {
		for f := range frontends {
			if now := places(after, f); f.Proto == ruleset.UDP && !slices.Equal(places(before, f), now) {
				stale[f] = now
			}
		}
	}
	if len(stale) == 0 {
		return nil
	}
	if _, err := k.conntrack.ConntrackDeleteFilters(netlink.ConntrackTable, unix.AF_INET, stale); err != nil {
		return fmt.Errorf("forget stale flows: %w", err)
	}
	return nil
}

// places are all backends that a frontend leads to.
func places(r *ruleset.Ruleset, f ruleset.Frontend) []netip.AddrPort {
	return slices.Concat(r.Backends[r.Frontends[f]], r.Backends[r.Inside[f]])
}

// staleFlows holds, for changed UDP frontends, the backends that flows may go on to.
type staleFlows map[ruleset.Frontend][]netip.AddrPort

// MatchConntrackFlow says whether the flow is to be forgotten.
func (s staleFlows) MatchConntrackFlow(flow *netlink.ConntrackFlow) bool {
	if flow.Forward.Protocol != unix.IPPROTO_UDP {
		return false
	}
	addr, ok := netip.AddrFromSlice(flow.Forward.DstIP.To4())
	if !ok {
		return false
	}
	backends, changed := s[ruleset.Frontend{Addr: addr, Proto: ruleset.UDP, Port: flow.Forward.DstPort}]
	if !changed {
		backends, changed = s[ruleset.Frontend{Proto: ruleset.UDP, Port: flow.Forward.DstPort}]
	}
	served, ok := netip.AddrFromSlice(flow.Reverse.SrcIP.To4())
	return changed && (!ok || !slices.Contains(backends, netip.AddrPortFrom(served, flow.Reverse.SrcPort)))
}
