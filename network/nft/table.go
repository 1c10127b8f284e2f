package nft

import (
	"encoding/binary"
	"net/netip"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"proa/network/ruleset"
)

// Registers of an nftables rule. A concatenation of 4-byte fields occupies registers that follow each other.
const (
	field1 = 8 // NFT_REG32_00
	field2 = 9
	field3 = 10
)

// ctStatusDNAT is the connection tracker's mark of a translated destination (IPS_DST_NAT).
const ctStatusDNAT = 1 << 5

var (
	serviceKeyType  = nftables.MustConcatSetType(nftables.TypeIPAddr, nftables.TypeInetProto, nftables.TypeInetService)
	nodePortKeyType = nftables.MustConcatSetType(nftables.TypeInetProto, nftables.TypeInetService)
	loopKeyType     = nftables.MustConcatSetType(nftables.TypeIPAddr, nftables.TypeIPAddr)
	backendType     = nftables.MustConcatSetType(nftables.TypeIPAddr, nftables.TypeInetService)
)

// rebuild queues the removal of the whole table and its making anew, without backends and frontends.
func (k *Kernel) rebuild(r *ruleset.Ruleset) error {
	k.conn.AddTable(k.table)
	k.conn.DelTable(k.table)
	k.conn.AddTable(k.table)
	verdicts := func(name string, key nftables.SetDatatype) *nftables.Set {
		return &nftables.Set{Table: k.table, Name: name, IsMap: true, Concatenation: true, KeyType: key, DataType: nftables.TypeVerdict}
	}
	k.services, k.nodePorts = verdicts("services", serviceKeyType), verdicts("node-ports", nodePortKeyType)
	k.servicesInside, k.nodePortsInside = verdicts("services-inside", serviceKeyType), verdicts("node-ports-inside", nodePortKeyType)
	k.unserved = verdicts("unserved", serviceKeyType)
	k.silentPorts = &nftables.Set{Table: k.table, Name: "silent-ports", Concatenation: true, KeyType: nodePortKeyType}
	k.loops = &nftables.Set{Table: k.table, Name: "loops", Concatenation: true, KeyType: loopKeyType}
	for _, set := range []*nftables.Set{k.services, k.nodePorts, k.servicesInside, k.nodePortsInside, k.unserved, k.silentPorts, k.loops} {
		if err := k.conn.AddSet(set, nil); err != nil {
			return err
		}
	}
	k.translateChains(r, k.translation("translate-inside", k.servicesInside, k.nodePortsInside), k.translation("translate", k.services, k.nodePorts))
	k.masqueradeChain(r)
	k.unservedChains()
	return nil
}

// translation makes a chain that leads a connection by two maps.
func (k *Kernel) translation(name string, services, nodePorts *nftables.Set) *nftables.Chain {
	chain := k.conn.AddChain(&nftables.Chain{Table: k.table, Name: name})
	k.rule(chain, serviceLookup(), verdictFrom(services, field1))
	k.rule(chain, toThisNode(), nodePortLookup(), verdictFrom(nodePorts, field1))
	return chain
}

// translateChains sends the first packet of every connection, from elsewhere and from here, through translate; where a pod or
// the node itself sent it, through inside before.
func (k *Kernel) translateChains(r *ruleset.Ruleset, inside, translate *nftables.Chain) {
	jump := func(to *nftables.Chain) []expr.Any {
		return []expr.Any{&expr.Verdict{Kind: expr.VerdictJump, Chain: to.Name}}
	}
	for name, hook := range map[string]*nftables.ChainHook{"prerouting": nftables.ChainHookPrerouting, "output": nftables.ChainHookOutput} {
		chain := k.conn.AddChain(&nftables.Chain{Table: k.table, Name: name, Type: nftables.ChainTypeNAT, Hooknum: hook, Priority: nftables.ChainPriorityNATDest})
		if name == "output" {
			k.rule(chain, jump(inside))
		} else {
			k.rule(chain, addressIn(12, r.Pods, expr.CmpOpEq), jump(inside))
		}
		k.rule(chain, jump(translate))
	}
}

// masqueradeChain replaces the source address where the answer would not come back otherwise.
func (k *Kernel) masqueradeChain(r *ruleset.Ruleset) {
	chain := k.conn.AddChain(&nftables.Chain{Table: k.table, Name: "postrouting", Type: nftables.ChainTypeNAT, Hooknum: nftables.ChainHookPostrouting, Priority: nftables.ChainPriorityNATSource})
	masquerade := []expr.Any{&expr.Masq{}}
	// A pod that is led to itself.
	k.rule(chain, load(field1, 12), load(field2, 16), inSet(k.loops, field1), masquerade)
	// A connection to a node port whose backend is on another node. That to a pod of this node keeps the client's
	// address, since the answer passes here anyway.
	k.rule(chain, translatedFromOutside(r.Services), k.leavesNode(), masquerade)
	// A pod that talks to the world outside.
	k.rule(chain, addressIn(12, r.Pods, expr.CmpOpEq), addressIn(16, r.Pods, expr.CmpOpNeq), k.leavesNode(), masquerade)
	if r.Behind.IsValid() {
		k.rule(chain, addressIn(12, r.Behind, expr.CmpOpEq), addressIn(16, r.Behind, expr.CmpOpNeq), addressIn(16, r.Pods, expr.CmpOpNeq), k.leavesNode(), masquerade)
	}
}

func (k *Kernel) rule(chain *nftables.Chain, parts ...[]expr.Any) {
	var all []expr.Any
	for _, p := range parts {
		all = append(all, p...)
	}
	k.conn.AddRule(&nftables.Rule{Table: k.table, Chain: chain, Exprs: all})
}

// chain names the chain of a set of backends, readable in `nft list ruleset`.
func (k *Kernel) chain(backends string) *nftables.Chain {
	return &nftables.Chain{Table: k.table, Name: chainName(backends)}
}

func chainName(backends string) string {
	return "to-" + strings.NewReplacer(":", "/", "@", "/").Replace(backends)
}

// emptyChain queues the making of the chain of a set of backends, or the removal of its rules.
func (k *Kernel) emptyChain(name string, exists bool) {
	if exists {
		k.conn.FlushChain(k.chain(name))
	} else {
		k.conn.AddChain(k.chain(name))
	}
}

// fill queues the rules of a set of backends. Without memory of clients it is one.
func (k *Kernel) fill(name string, backends []netip.AddrPort, memory *memory) error {
	chain := k.chain(name)
	if memory != nil {
		if err := k.remember(chain, backends, memory); err != nil {
			return err
		}
	}
	pick, err := k.pick(backends)
	if err != nil {
		return err
	}
	k.rule(chain, pick, toBackend())
	return nil
}

// pick loads a random backend into the first two fields.
func (k *Kernel) pick(backends []netip.AddrPort) ([]expr.Any, error) {
	if len(backends) == 1 {
		return []expr.Any{
			&expr.Immediate{Register: field1, Data: backends[0].Addr().AsSlice()},
			&expr.Immediate{Register: field2, Data: binary.BigEndian.AppendUint16(nil, backends[0].Port())},
		}, nil
	}
	choice := &nftables.Set{Table: k.table, Anonymous: true, Constant: true, IsMap: true, KeyType: nftables.TypeInteger, DataType: backendType}
	var elements []nftables.SetElement
	for i, b := range backends {
		elements = append(elements, nftables.SetElement{Key: binary.NativeEndian.AppendUint32(nil, uint32(i)), Val: addrPort(b)})
	}
	if err := k.conn.AddSet(choice, elements); err != nil {
		return nil, err
	}
	return []expr.Any{
		&expr.Numgen{Register: field1, Type: unix.NFT_NG_RANDOM, Modulus: uint32(len(backends))},
		&expr.Lookup{SourceRegister: field1, DestRegister: field1, IsDestRegSet: true, SetName: choice.Name, SetID: choice.ID},
	}, nil
}

// toBackend translates to the address and port in the first two fields.
func toBackend() []expr.Any {
	return []expr.Any{&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: field1, RegProtoMin: field2, Specified: true}}
}

// load reads an IPv4 address of the packet: its source is at offset 12, its destination at 16.
func load(register, offset uint32) []expr.Any {
	return []expr.Any{&expr.Payload{DestRegister: register, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: 4}}
}

func protocolAndPort(first uint32) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: first},
		&expr.Payload{DestRegister: first + 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
	}
}

func serviceLookup() []expr.Any  { return append(load(field1, 16), protocolAndPort(field2)...) }
func nodePortLookup() []expr.Any { return protocolAndPort(field1) }

func verdictFrom(set *nftables.Set, register uint32) []expr.Any {
	return []expr.Any{&expr.Lookup{SourceRegister: register, DestRegister: 0, IsDestRegSet: true, SetName: set.Name, SetID: set.ID}}
}

func inSet(set *nftables.Set, register uint32) []expr.Any {
	return []expr.Any{&expr.Lookup{SourceRegister: register, SetName: set.Name, SetID: set.ID}}
}

// toThisNode matches packets to an address of the node other than loopback, which no other host may reach (CVE-2020-8558).
func toThisNode() []expr.Any {
	loopback := addressIn(16, netip.MustParsePrefix("127.0.0.0/8"), expr.CmpOpNeq)
	return append(loopback,
		&expr.Fib{Register: field1, ResultADDRTYPE: true, FlagDADDR: true},
		&expr.Cmp{Register: field1, Op: expr.CmpOpEq, Data: binary.NativeEndian.AppendUint32(nil, unix.RTN_LOCAL)},
	)
}

// translatedFromOutside matches translated connections whose client did not ask for a cluster IP.
func translatedFromOutside(services netip.Prefix) []expr.Any {
	zero := make([]byte, 4)
	match := []expr.Any{
		&expr.Ct{Register: field1, Key: expr.CtKeySTATUS},
		&expr.Bitwise{SourceRegister: field1, DestRegister: field1, Len: 4, Mask: binary.NativeEndian.AppendUint32(nil, ctStatusDNAT), Xor: zero},
		&expr.Cmp{Register: field1, Op: expr.CmpOpNeq, Data: zero},
		&expr.Ct{Register: field1, Key: expr.CtKeyDST, Direction: 0},
	}
	return append(match, compareNet(services, expr.CmpOpNeq)...)
}

// leavesNode matches packets that go out through a link that is no pod's.
func (k *Kernel) leavesNode() []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyOIFNAME, Register: field1},
		&expr.Cmp{Register: field1, Op: expr.CmpOpNeq, Data: []byte(k.cfg.PodPrefix)},
	}
}

// addressIn compares the address at offset with a network.
func addressIn(offset uint32, network netip.Prefix, op expr.CmpOp) []expr.Any {
	return append(load(field1, offset), compareNet(network, op)...)
}

// compareNet compares the address in the first field with a network.
func compareNet(network netip.Prefix, op expr.CmpOp) []expr.Any {
	mask := binary.BigEndian.AppendUint32(nil, ^uint32(0)<<(32-network.Bits()))
	return []expr.Any{
		&expr.Bitwise{SourceRegister: field1, DestRegister: field1, Len: 4, Mask: mask, Xor: make([]byte, 4)},
		&expr.Cmp{Register: field1, Op: op, Data: network.Masked().Addr().AsSlice()},
	}
}

// frontendElement is the map entry that leads a frontend to its chain.
func frontendElement(f ruleset.Frontend, backends string) nftables.SetElement {
	key := serviceKey(f)
	if !f.Addr.IsValid() {
		key = key[4:]
	}
	return nftables.SetElement{Key: key, VerdictData: &expr.Verdict{Kind: expr.VerdictGoto, Chain: chainName(backends)}}
}

// serviceKey is address . protocol . port, each padded to 4 bytes.
func serviceKey(f ruleset.Frontend) []byte {
	key := make([]byte, 12)
	if f.Addr.IsValid() {
		copy(key, f.Addr.AsSlice())
	}
	key[4] = byte(f.Proto)
	binary.BigEndian.PutUint16(key[8:], f.Port)
	return key
}

func addrPort(b netip.AddrPort) []byte {
	val := make([]byte, 8)
	copy(val, b.Addr().AsSlice())
	binary.BigEndian.PutUint16(val[4:], b.Port())
	return val
}
