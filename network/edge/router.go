package edge

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"iter"
	"net"
	"slices"
	"strings"
	"sync/atomic"
)

// router finds the backend of a request. It is immutable but for whose turn it is.
//
// The host decides before the path: an exact one before a wildcard before none. Of its paths an exact one counts before a
// prefix, a longer prefix before a shorter one, and the older rule among equals.
type router struct {
	hosts        map[string][]rule // "" for rules without a host; "*.example.com" as it is
	certificates []certificate
}

type rule struct {
	path    string
	exact   bool
	backend *backend
}

// backend is the addresses behind a Service's port.
type backend struct {
	addresses []string
	turn      atomic.Uint32
}

// turns yields every address once, each time beginning with the next.
func (b *backend) turns() iter.Seq[string] {
	first := uint64(b.turn.Add(1))
	return func(yield func(string) bool) {
		for i := range b.addresses {
			if !yield(b.addresses[(first+uint64(i))%uint64(len(b.addresses))]) {
				return
			}
		}
	}
}

type certificate struct {
	hosts []string
	pair  tls.Certificate
}

// newRouter makes a router. Certificates that do not parse are left out and named.
func newRouter(r *Routes) (*router, []error) {
	out := &router{hosts: map[string][]rule{}}
	backends := map[string]*backend{}
	for name, addresses := range r.Backends {
		backends[name] = &backend{addresses: addresses}
	}
	for _, x := range r.Rules {
		b := backends[x.Backend]
		if b == nil {
			b = &backend{}
		}
		host := strings.ToLower(x.Host)
		out.hosts[host] = append(out.hosts[host], rule{x.Path, x.Exact, b})
	}
	for host := range out.hosts {
		slices.SortStableFunc(out.hosts[host], func(a, b rule) int {
			switch {
			case a.exact != b.exact && a.exact:
				return -1
			case a.exact != b.exact:
				return 1
			}
			return len(b.path) - len(a.path)
		})
	}
	var wrong []error
	for _, c := range r.Certificates {
		pair, err := tls.X509KeyPair([]byte(c.Chain), []byte(c.Key))
		if err != nil {
			wrong = append(wrong, fmt.Errorf("certificate for %v: %w", c.Hosts, err))
			continue
		}
		if pair.Leaf == nil {
			pair.Leaf, _ = x509.ParseCertificate(pair.Certificate[0])
		}
		out.certificates = append(out.certificates, certificate{c.Hosts, pair})
	}
	return out, wrong
}

// find is the backend for a host, as the request names it, and a path; nil if no rule matches.
func (r *router) find(host, path string) *backend {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	_, parent, _ := strings.Cut(host, ".")
	for _, key := range []string{host, "*." + parent, ""} {
		if b := match(r.hosts[key], path); b != nil {
			return b
		}
	}
	return nil
}

func match(rules []rule, path string) *backend {
	for _, r := range rules {
		if r.exact && path == r.path || !r.exact && hasPrefix(path, r.path) {
			return r.backend
		}
	}
	return nil
}

// hasPrefix compares element by element: /a leads /a and /a/b, not /ab.
func hasPrefix(path, prefix string) bool {
	prefix = strings.TrimSuffix(prefix, "/")
	return prefix == "" || strings.HasPrefix(path, prefix) && (len(path) == len(prefix) || path[len(prefix)] == '/')
}

// certificate is the one for a name; nil if none covers it.
func (r *router) certificate(name string) *tls.Certificate {
	name = strings.ToLower(name)
	for i := range r.certificates {
		c := &r.certificates[i]
		if covers(c.hosts, name) || c.pair.Leaf != nil && c.pair.Leaf.VerifyHostname(name) == nil {
			return &c.pair
		}
	}
	return nil
}

func covers(hosts []string, name string) bool {
	_, parent, _ := strings.Cut(name, ".")
	return slices.ContainsFunc(hosts, func(h string) bool { return strings.EqualFold(h, name) || h == "*."+parent })
}
