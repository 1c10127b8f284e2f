// Package nft brings the kernel's packet rules to a ruleset.Ruleset. It owns one nftables table, ip proa, and knows
// no kinds.
//
// Cluster IPs and node ports are keys of two maps whose values lead to one chain per set of backends; a chain holds one rule
// that translates to a random backend through a map of its own. So the cost of a packet does not grow with the number of
// Services, and a change of one Service touches one chain and the map entries that changed. Each Apply is one
// transaction: packets see the old rules or the new ones. The first Apply replaces what an earlier process left, so
// traffic flows on by the old rules until then. When a transaction fails, the next Apply rebuilds everything.
//
// Where clients keep their backend, the chain has a map of its own from client to backend, which the kernel fills and
// forgets; see remember. The first Apply takes over what an earlier process' maps hold.
//
// The road not taken: a rule per backend with jumps (iptables' way, also kube-proxy's in nftables) costs a chain per
// endpoint, and marks to remember what to masquerade; here the connection tracker's original address tells it.
package nft

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	mdlayher "github.com/mdlayher/netlink"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"proa/network/ruleset"
)

// TableName is the nftables table, of family ip, that holds all our rules.
const TableName = "proa"

// Config says where and for what the rules are.
type Config struct {
	Host      netns.NsHandle // the node's network namespace; the zero value means that of the process
	PodPrefix string         // what the names of the host ends of pods' links start with; required
}

// Kernel applies rulesets. One goroutine uses it.
type Kernel struct {
	cfg       Config
	conn      *nftables.Conn
	conntrack *netlink.Handle
	table     *nftables.Table
	services  *nftables.Set // address . protocol . port : verdict
	nodePorts *nftables.Set // protocol . port : verdict
	unserved  *nftables.Set // address . protocol . port : verdict
	// silentPorts are the node ports that are not answered: protocol . port
	silentPorts *nftables.Set
	// The two maps once more, for clients inside the cluster.
	servicesInside, nodePortsInside *nftables.Set
	loops                           *nftables.Set    // source . destination
	applied                         *ruleset.Ruleset // nil: what the kernel holds is unknown
	// known are the clients in the maps of a table that is being replaced, by the name of the map.
	known map[string][]nftables.SetElement
}

// New opens netlink. It changes nothing.
func New(cfg Config) (*Kernel, error) {
	if cfg.Host <= 0 {
		current, err := netns.Get()
		if err != nil {
			return nil, fmt.Errorf("open network namespace: %w", err)
		}
		cfg.Host = current
	}
	conn, err := nftables.New(nftables.WithNetNSFd(int(cfg.Host)), nftables.WithSockOptions(bigTransactions))
	if err != nil {
		return nil, fmt.Errorf("open nftables: %w", err)
	}
	conntrack, err := netlink.NewHandleAt(cfg.Host)
	if err != nil {
		return nil, fmt.Errorf("open netlink: %w", err)
	}
	return &Kernel{cfg: cfg, conn: conn, conntrack: conntrack, table: &nftables.Table{Name: TableName, Family: nftables.TableFamilyIPv4}}, nil
}

// bigTransactions lets a socket carry the rules of thousands of Services at once, and the kernel's answer to each part,
// which all come before the first is read. These are bounds; memory is taken when there is something to carry.
func bigTransactions(socket *mdlayher.Conn) error {
	const most = 512 << 20
	if err := socket.SetWriteBuffer(most); err != nil {
		return fmt.Errorf("set write buffer: %w", err)
	}
	if err := socket.SetReadBuffer(most); err != nil {
		return fmt.Errorf("set read buffer: %w", err)
	}
	return nil
}

// Apply makes the kernel follow r. On an error the kernel still follows the rules before, and the next Apply starts afresh.
func (k *Kernel) Apply(r *ruleset.Ruleset) error {
	before := k.applied
	k.applied = nil
	if before == nil || before.Pods != r.Pods || before.Services != r.Services || before.Behind != r.Behind {
		before = &ruleset.Ruleset{}
		k.known = k.readClients()
		if err := k.rebuild(r); err != nil {
			return err
		}
	}
	if err := k.change(before, r); err != nil {
		return err
	}
	if err := k.conn.Flush(); err != nil {
		return fmt.Errorf("apply packet rules: %w", err)
	}
	k.applied, k.known = r, nil
	return k.forgetFlows(before, r)
}

// Remove deletes all our rules. It succeeds when there are none.
func (k *Kernel) Remove() error {
	k.applied = nil
	k.conn.AddTable(k.table)
	k.conn.DelTable(k.table)
	if err := k.conn.Flush(); err != nil {
		return fmt.Errorf("remove packet rules: %w", err)
	}
	return nil
}

// change queues the difference between two rulesets.
func (k *Kernel) change(before, after *ruleset.Ruleset) error {
	for name, backends := range after.Backends {
		if slices.Equal(before.Backends[name], backends) && before.Sticky[name] == after.Sticky[name] {
			continue
		}
		k.emptyChain(name, before.Backends[name] != nil)
		memory, err := k.changeMemory(name, before.Sticky[name], after.Sticky[name])
		if err != nil {
			return err
		}
		if err := k.fill(name, backends, memory); err != nil {
			return err
		}
	}
	if err := k.changeFrontends(before.Frontends, after.Frontends, k.services, k.nodePorts); err != nil {
		return err
	}
	if err := k.changeFrontends(before.Inside, after.Inside, k.servicesInside, k.nodePortsInside); err != nil {
		return err
	}
	if err := k.changeGuards(before.Guards, after.Guards); err != nil {
		return err
	}
	if err := k.changeUnserved(before, after); err != nil {
		return err
	}
	if err := k.changeSet(k.loops, loopKeys(before.Loops), loopKeys(after.Loops)); err != nil {
		return err
	}
	for name := range before.Backends {
		if after.Backends[name] == nil {
			chain := k.chain(name)
			k.conn.FlushChain(chain)
			k.conn.DelChain(chain)
			if before.Sticky[name] > 0 {
				k.conn.DelSet(k.clients(name))
			}
		}
	}
	return nil
}

// changeFrontends queues what differs between two maps of frontends: entries of the verdict maps.
func (k *Kernel) changeFrontends(before, after map[ruleset.Frontend]string, services, nodePorts *nftables.Set) error {
	type change struct{ remove, add []nftables.SetElement }
	changes := map[*nftables.Set]*change{services: {}, nodePorts: {}}
	setOf := func(f ruleset.Frontend) *nftables.Set {
		if f.Addr.IsValid() {
			return services
		}
		return nodePorts
	}
	for f, name := range before {
		if after[f] != name {
			c := changes[setOf(f)]
			c.remove = append(c.remove, frontendElement(f, name))
		}
	}
	for f, name := range after {
		if before[f] != name {
			c := changes[setOf(f)]
			c.add = append(c.add, frontendElement(f, name))
		}
	}
	for _, set := range []*nftables.Set{services, nodePorts} {
		if err := k.elements(set, changes[set].remove, changes[set].add); err != nil {
			return err
		}
	}
	return nil
}

// changeSet queues what differs between two sets of keys.
func (k *Kernel) changeSet(set *nftables.Set, before, after map[string]bool) error {
	var remove, add []nftables.SetElement
	for key := range before {
		if !after[key] {
			remove = append(remove, nftables.SetElement{Key: []byte(key)})
		}
	}
	for key := range after {
		if !before[key] {
			add = append(add, nftables.SetElement{Key: []byte(key)})
		}
	}
	return k.elements(set, remove, add)
}

// elements queues removals and additions, in pieces that fit into a netlink message.
func (k *Kernel) elements(set *nftables.Set, remove, add []nftables.SetElement) error {
	const piece = 400
	for part := range slices.Chunk(remove, piece) {
		if err := k.conn.SetDeleteElements(set, part); err != nil {
			return fmt.Errorf("remove from set %s: %w", set.Name, err)
		}
	}
	for part := range slices.Chunk(add, piece) {
		if err := k.conn.SetAddElements(set, part); err != nil {
			return fmt.Errorf("add to set %s: %w", set.Name, err)
		}
	}
	return nil
}

func loopKeys(loops []netip.Addr) map[string]bool {
	keys := map[string]bool{}
	for _, addr := range loops {
		keys[string(append(addr.AsSlice(), addr.AsSlice()...))] = true
	}
	return keys
}
