package nft

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"

	"proa/network/ruleset"
)

// guardPriority is before destinations are translated: a guard sees what the client asked for.
const guardPriority = -110

const guards = "guards"

// changeGuards queues the making anew of all guards if one changed. They are few and change rarely. Without any there is no
// chain that packets would pass.
func (k *Kernel) changeGuards(before, after map[ruleset.Frontend][]netip.Prefix) error {
	if maps.EqualFunc(before, after, slices.Equal) {
		return nil
	}
	set := &nftables.Set{Table: k.table, Name: guards, IsMap: true, Concatenation: true, KeyType: serviceKeyType, DataType: nftables.TypeVerdict}
	if len(before) > 0 {
		for _, name := range guardHooks() {
			k.conn.FlushChain(&nftables.Chain{Table: k.table, Name: name})
			k.conn.DelChain(&nftables.Chain{Table: k.table, Name: name})
		}
		k.conn.DelSet(set)
		for name := range guardChains(before) {
			k.conn.FlushChain(k.chain(name))
			k.conn.DelChain(k.chain(name))
		}
	}
	if len(after) == 0 {
		return nil
	}
	var elements []nftables.SetElement
	for name, ranges := range guardChains(after) {
		chain := k.conn.AddChain(k.chain(name))
		for _, r := range ranges {
			k.rule(chain, addressIn(12, r, expr.CmpOpEq), []expr.Any{&expr.Verdict{Kind: expr.VerdictReturn}})
		}
		k.rule(chain, []expr.Any{&expr.Verdict{Kind: expr.VerdictDrop}})
	}
	for f, ranges := range after {
		elements = append(elements, nftables.SetElement{Key: serviceKey(f), VerdictData: &expr.Verdict{Kind: expr.VerdictGoto, Chain: chainName(guardName(ranges))}})
	}
	if err := k.conn.AddSet(set, nil); err != nil {
		return fmt.Errorf("make set %s: %w", guards, err)
	}
	if err := k.elements(set, nil, elements); err != nil {
		return err
	}
	for _, name := range guardHooks() {
		priority := nftables.ChainPriority(guardPriority)
		hook := map[string]*nftables.ChainHook{"guard-prerouting": nftables.ChainHookPrerouting, "guard-output": nftables.ChainHookOutput}[name]
		chain := k.conn.AddChain(&nftables.Chain{Table: k.table, Name: name, Type: nftables.ChainTypeFilter, Hooknum: hook, Priority: &priority})
		k.rule(chain, serviceLookup(), verdictFrom(set, field1))
	}
	return nil
}

func guardHooks() []string { return []string{"guard-prerouting", "guard-output"} }

// guardChains are the chains that frontends' guards take, one for each set of ranges.
func guardChains(all map[ruleset.Frontend][]netip.Prefix) map[string][]netip.Prefix {
	chains := map[string][]netip.Prefix{}
	for _, ranges := range all {
		chains[guardName(ranges)] = ranges
	}
	return chains
}

// guardName names the chain of a set of ranges; names of chains are short.
func guardName(ranges []netip.Prefix) string {
	var text []string
	for _, r := range ranges {
		text = append(text, r.String())
	}
	sum := sha256.Sum256([]byte(strings.Join(text, ",")))
	return fmt.Sprintf("guard-%x", sum[:8])
}
