package nft

import (
	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"proa/network/ruleset"
)

// refuse is the chain that answers that nobody is there.
const refuse = "refuse"

// silence is the chain of packets to the node itself. It is there only while a frontend is not answered.
const silence = "silence-input"

// unservedChains look at packets that were led nowhere, on their way out of the node.
func (k *Kernel) unservedChains() {
	const portUnreachable = 3
	k.rule(k.conn.AddChain(&nftables.Chain{Table: k.table, Name: refuse}),
		[]expr.Any{&expr.Reject{Type: unix.NFT_REJECT_ICMP_UNREACH, Code: portUnreachable}})
	for name, hook := range map[string]*nftables.ChainHook{"refuse-forward": nftables.ChainHookForward, "refuse-output": nftables.ChainHookOutput} {
		chain := k.conn.AddChain(&nftables.Chain{Table: k.table, Name: name, Type: nftables.ChainTypeFilter, Hooknum: hook, Priority: nftables.ChainPriorityFilter})
		k.rule(chain, serviceLookup(), verdictFrom(k.unserved, field1))
	}
}

// changeUnserved queues what differs between the frontends without backends: those that are closed are refused, those whose
// pods are elsewhere are not answered, so that clients try again. At a closed node port nobody listens: the kernel refuses
// by itself.
func (k *Kernel) changeUnserved(before, after *ruleset.Ruleset) error {
	had, has := unserved(before), unserved(after)
	var remove, add []nftables.SetElement
	for f, verdict := range had {
		if now, still := has[f]; !still || now != verdict {
			remove = append(remove, unservedElement(f, verdict))
		}
	}
	for f, verdict := range has {
		if was, known := had[f]; !known || was != verdict {
			add = append(add, unservedElement(f, verdict))
		}
	}
	if err := k.elements(k.unserved, remove, add); err != nil {
		return err
	}
	if err := k.changeSet(k.silentPorts, portKeys(before.Elsewhere), portKeys(after.Elsewhere)); err != nil {
		return err
	}
	chain := &nftables.Chain{Table: k.table, Name: silence, Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookInput, Priority: nftables.ChainPriorityFilter}
	switch was, is := len(before.Elsewhere) > 0, len(after.Elsewhere) > 0; {
	case is && !was:
		k.conn.AddChain(chain)
		k.rule(chain, serviceLookup(), verdictFrom(k.unserved, field1))
		k.rule(chain, nodePortLookup(), inSet(k.silentPorts, field1), []expr.Any{&expr.Verdict{Kind: expr.VerdictDrop}})
	case was && !is:
		k.conn.FlushChain(chain)
		k.conn.DelChain(chain)
	}
	return nil
}

// unserved are the frontends with an address that lead nowhere, and what is done about it.
func unserved(r *ruleset.Ruleset) map[ruleset.Frontend]expr.VerdictKind {
	all := map[ruleset.Frontend]expr.VerdictKind{}
	for verdict, list := range map[expr.VerdictKind][]ruleset.Frontend{expr.VerdictGoto: r.Closed, expr.VerdictDrop: r.Elsewhere} {
		for _, f := range list {
			if f.Addr.IsValid() {
				all[f] = verdict
			}
		}
	}
	return all
}

func unservedElement(f ruleset.Frontend, verdict expr.VerdictKind) nftables.SetElement {
	data := &expr.Verdict{Kind: verdict}
	if verdict == expr.VerdictGoto {
		data.Chain = refuse
	}
	return nftables.SetElement{Key: serviceKey(f), VerdictData: data}
}

func portKeys(list []ruleset.Frontend) map[string]bool {
	keys := map[string]bool{}
	for _, f := range list {
		if !f.Addr.IsValid() {
			keys[string(serviceKey(f)[4:])] = true
		}
	}
	return keys
}
