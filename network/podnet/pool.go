package podnet

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// pool hands out the addresses of a range, one per owner. Each allocation is a file named by the owner that holds the
// address, written before it is handed out. An address that was freed is used again as late as possible, since peers
// may still hold it in their caches. Not safe for concurrent use.
type pool struct {
	dir     string
	addrs   netip.Prefix
	byOwner map[string]netip.Addr
	used    map[netip.Addr]bool
	last    netip.Addr
}

func openPool(dir string, addrs netip.Prefix) (*pool, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make folder of pod addresses: %w", err)
	}
	p := &pool{dir: dir, addrs: addrs.Masked(), byOwner: map[string]netip.Addr{}, used: map[netip.Addr]bool{}}
	p.last = p.addrs.Addr()
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read pod addresses: %w", err)
	}
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("read pod address: %w", err)
		}
		addr, err := netip.ParseAddr(strings.TrimSpace(string(content)))
		if err != nil {
			// A file cut off by a crash was never handed out.
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return nil, fmt.Errorf("remove broken pod address: %w", err)
			}
			continue
		}
		p.byOwner[e.Name()], p.used[addr] = addr, true
		if p.last.Less(addr) && p.addrs.Contains(addr) {
			p.last = addr
		}
	}
	return p, nil
}

// take returns the owner's address, a new one if it has none.
func (p *pool) take(owner string) (netip.Addr, error) {
	if addr, ok := p.byOwner[owner]; ok {
		return addr, nil
	}
	addr, err := p.free()
	if err != nil {
		return netip.Addr{}, err
	}
	if err := os.WriteFile(filepath.Join(p.dir, owner), []byte(addr.String()+"\n"), 0o600); err != nil {
		return netip.Addr{}, fmt.Errorf("record pod address: %w", err)
	}
	p.byOwner[owner], p.used[addr], p.last = addr, true, addr
	return addr, nil
}

// free finds the next free address after the last one handed out. The first and the last of the range stay free: tools
// take them for the network's and the broadcast address.
func (p *pool) free() (netip.Addr, error) {
	first := p.addrs.Addr()
	for addr := p.last.Next(); ; addr = addr.Next() {
		if !p.addrs.Contains(addr) {
			addr = first
		}
		usable := addr != first && p.addrs.Contains(addr.Next())
		if usable && !p.used[addr] {
			return addr, nil
		}
		if addr == p.last {
			return netip.Addr{}, fmt.Errorf("no free pod address in %s: %d are in use", p.addrs, len(p.used))
		}
	}
}

// release frees the owner's address, if it has one.
func (p *pool) release(owner string) error {
	addr, ok := p.byOwner[owner]
	if !ok {
		return nil
	}
	if err := os.Remove(filepath.Join(p.dir, owner)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("free pod address: %w", err)
	}
	delete(p.byOwner, owner)
	delete(p.used, addr)
	return nil
}
