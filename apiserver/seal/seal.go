// Package seal encrypts what is stored, secrets above all, before it reaches the disk: it makes the store.Sealer of an
// EncryptionConfiguration (apiserver.config.k8s.io/v1), or of keys of the cluster's own when there is none.
//
// It decides which resources are encrypted, with which key, and which keys still open what is there. It owns the file with the
// cluster's own keys, and the connection to a key management plug-in (KMS v2). The assembler makes it before it opens the store;
// when a key or the plug-in is gone, the store does not open, and the error says which key is wanted. Once it is open,
// nothing is asked of a plug-in for a read or a write.
package seal

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"proa/store"
)

// provider seals with one key. What it returns begins with its prefix, by which it is known again.
type provider interface {
	prefix() string
	// seal returns data encrypted and bound to at, behind the prefix.
	seal(at, data []byte) ([]byte, error)
	// open returns what seal was given. stale says that the provider would seal otherwise by now.
	open(at, sealed []byte) (data []byte, stale bool, err error)
}

// rule says how some resources are kept: the first provider writes, all read. A nil provider keeps them in the open.
type rule struct {
	resources []string
	providers []provider
}

// Sealer is the store.Sealer of a configuration. As that asks, one goroutine at a time uses it.
type Sealer struct {
	rules  []rule
	others []provider       // of a former configuration: they read only
	tables map[string]*rule // of tables that were asked about; nil if none covers it

	next atomic.Pointer[Sealer] // a configuration that is to be used from the next row on; nil: none is
}

var _ store.Sealer = (*Sealer)(nil)

// rule finds the first that names a table.
func (s *Sealer) rule(table string) *rule {
	found, ok := s.tables[table]
	if ok {
		return found
	}
	for i := range s.rules {
		if found == nil && s.rules[i].covers(table) {
			found = &s.rules[i]
		}
	}
	if s.tables == nil {
		s.tables = map[string]*rule{}
	}
	s.tables[table] = found
	return found
}

// covers says whether a rule names a table, itself or by its group: "secrets", "*.apps", "*." for the core group, "*.*".
func (r *rule) covers(table string) bool {
	_, group, _ := strings.Cut(table, ".")
	for _, name := range r.resources {
		if name == table || name == "*.*" || name == "*."+group {
			return true
		}
	}
	return false
}

func (s *Sealer) writer(table string) provider {
	if r := s.rule(table); r != nil && len(r.providers) > 0 {
		return r.providers[0]
	}
	return nil
}

// Seals says whether a table is encrypted. It is asked before each row is sealed, and takes up what a Follower found.
func (s *Sealer) Seals(table string) bool {
	if next := s.next.Swap(nil); next != nil {
		s.rules, s.others, s.tables = next.rules, next.others, nil
	}
	return s.writer(table) != nil
}

// Seal encrypts data with the first key of the table's rule.
func (s *Sealer) Seal(table string, at, data []byte) ([]byte, error) {
	p := s.writer(table)
	if p == nil {
		return nil, fmt.Errorf("encrypt a row of %s: no rule covers it", table)
	}
	sealed, err := p.seal(at, data)
	if err != nil {
		return nil, fmt.Errorf("encrypt with %s: %w", name(p), err)
	}
	return sealed, nil
}

// Open decrypts what any of the keys sealed.
func (s *Sealer) Open(table string, at, sealed []byte) (data []byte, stale bool, err error) {
	writer := s.writer(table)
	var failed []error
	for _, p := range s.readers(table) {
		if !bytes.HasPrefix(sealed, []byte(p.prefix())) {
			continue
		}
		data, stale, err := p.open(at, sealed)
		if err == nil {
			return data, stale || p != writer, nil
		}
		failed = append(failed, fmt.Errorf("decrypt with %s: %w", name(p), err))
	}
	if len(failed) == 0 {
		return nil, false, fmt.Errorf("decrypt: no key named %q is configured; add it to the encryption configuration, behind the one that writes", keyName(sealed))
	}
	return nil, false, errors.Join(failed...)
}

// readers lists the providers that may have sealed a row of a table: its rule's, and then everybody else's, for rules change.
func (s *Sealer) readers(table string) []provider {
	var all []provider
	add := func(from []provider) {
		for _, p := range from {
			if p != nil {
				all = append(all, p)
			}
		}
	}
	own := s.rule(table)
	if own != nil {
		add(own.providers)
	}
	for i := range s.rules {
		if &s.rules[i] != own {
			add(s.rules[i].providers)
		}
	}
	add(s.others)
	return all
}

func name(p provider) string { return strings.TrimSuffix(p.prefix(), ":") }

// keyName is what the beginning of a sealed row says.
func keyName(sealed []byte) string {
	parts := strings.SplitN(string(sealed[:min(len(sealed), 200)]), ":", 3)
	if len(parts) < 3 {
		return "unknown"
	}
	return parts[0] + ":" + parts[1]
}
