package nft

import (
	"net/netip"
	"strings"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// memory is which backend each client of a set of backends was led to last, and for how long that counts.
type memory struct {
	clients *nftables.Set // source address : backend address . backend port
	keep    time.Duration
}

const clientsPrefix = "clients-"

// clients is the map of the clients of a set of backends. It has no size: the kernel would make room for so many at
// once. Without, its bound is 65,535 clients; those beyond are led anywhere.
func (k *Kernel) clients(backends string) *nftables.Set {
	return &nftables.Set{
		Table: k.table, Name: clientsPrefix + chainName(backends), IsMap: true, Dynamic: true, HasTimeout: true,
		KeyType: nftables.TypeIPAddr, DataType: backendType,
	}
}

// changeMemory queues the making or removal of a memory, and returns it if it is wanted. The chain must hold no rules. A
// memory stays when only the backends or the time change.
func (k *Kernel) changeMemory(name string, before, after time.Duration) (*memory, error) {
	clients := k.clients(name)
	if after == 0 {
		if before > 0 {
			k.conn.DelSet(clients)
		}
		return nil, nil
	}
	if before == 0 {
		if err := k.conn.AddSet(clients, nil); err != nil {
			return nil, err
		}
		if err := k.elements(clients, nil, k.known[clients.Name]); err != nil {
			return nil, err
		}
	}
	return &memory{clients, after}, nil
}

// readClients reads the maps of the kernel's present table. What cannot be read is forgotten: the rules matter more.
func (k *Kernel) readClients() map[string][]nftables.SetElement {
	sets, err := k.conn.GetSets(k.table)
	if err != nil {
		return nil // there is no table yet
	}
	known := map[string][]nftables.SetElement{}
	for _, set := range sets {
		if !strings.HasPrefix(set.Name, clientsPrefix) {
			continue
		}
		clients, err := k.conn.GetSetElements(set)
		if err != nil {
			continue
		}
		for _, c := range clients {
			if c.Expires > 0 {
				known[set.Name] = append(known[set.Name], nftables.SetElement{Key: c.Key, Val: c.Val, Timeout: c.Expires})
			}
		}
	}
	return known
}

// remember queues two rules: one leads a client to the backend it had, the other gives it one and takes that down.
//
// What is remembered is compared with the present backends at each connection. So nothing has to be removed from the map
// when a backend goes, and a packet that adds a client while the rules change does no harm. An update leaves the value
// as it is, so the second rule removes the client's stale entry first. When the map is full, neither rule leads anywhere,
// and the chain's last one does.
func (k *Kernel) remember(chain *nftables.Chain, backends []netip.AddrPort, m *memory) error {
	live := &nftables.Set{Table: k.table, Anonymous: true, Constant: true, Concatenation: true, KeyType: backendType}
	var elements []nftables.SetElement
	for _, b := range backends {
		elements = append(elements, nftables.SetElement{Key: addrPort(b)})
	}
	if err := k.conn.AddSet(live, elements); err != nil {
		return err
	}
	pick, err := k.pick(backends)
	if err != nil {
		return err
	}
	client := load(field3, 12)
	k.rule(chain, client,
		[]expr.Any{&expr.Lookup{SourceRegister: field3, DestRegister: field1, IsDestRegSet: true, SetName: m.clients.Name, SetID: m.clients.ID}},
		inSet(live, field1), m.note(unix.NFT_DYNSET_OP_UPDATE), toBackend())
	k.rule(chain, client, pick, m.note(dynsetDelete), m.note(unix.NFT_DYNSET_OP_UPDATE), toBackend())
	return nil
}

// dynsetDelete is NFT_DYNSET_OP_DELETE of the kernel, which package unix lacks.
const dynsetDelete = 2

// note changes the entry of the client in the third field; its backend is in the first two.
func (m *memory) note(operation uint32) []expr.Any {
	e := &expr.Dynset{SrcRegKey: field3, SrcRegData: field1, SetName: m.clients.Name, SetID: m.clients.ID, Operation: operation}
	if operation != dynsetDelete {
		e.Timeout = m.keep
	}
	return []expr.Any{e}
}
