// Package pki makes and keeps the keys of a cluster: its authorities, its certificates, its token signing key.
//
// It owns one directory. What is missing there is made, what is there is used again, and leaf certificates are
// renewed while the cluster runs; connections pick a renewed certificate up without a restart. The server opens it
// before everything else; when the directory cannot be read or written, nothing can start and Open says why.
//
// The two authorities and the signing key are durable before Open returns, for losing them locks every client out.
// Leaf certificates can be issued again, so they are only written atomically. A leaf that is damaged, expires soon, or
// lacks a name or address that is now wanted is replaced.
package pki

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Config says where the keys are and what the API server is called.
type Config struct {
	Dir            string           // required: made with mode 0700 if absent
	Names          []string         // further DNS names of the API server, such as the machine's
	Addresses      []net.IP         // further addresses of the API server
	ServiceAddress net.IP           // address of the service "kubernetes"; nil if there is none
	Now            func() time.Time // time.Now if nil
	Log            *slog.Logger     // slog.Default() if nil
	// Wait blocks until d has passed or ctx has ended, and is what Run sleeps with; a timer if nil.
	Wait func(ctx context.Context, d time.Duration) error
}

// PKI is the open directory. All methods may be called from many goroutines.
type PKI struct {
	cfg        Config
	ca         *authority
	frontProxy *authority
	tokens     *ecdsa.PrivateKey

	// What the server itself shows and uses.
	server           *Leaf
	admin            *Leaf
	nodeClient       *Leaf
	frontProxyClient *Leaf

	mu struct {
		sync.Mutex
		leaves map[string]*Leaf // by file name; all that Run renews
	}
}

// Open reads the directory and makes what is missing.
func Open(cfg Config) (*PKI, error) {
	if cfg.Dir == "" {
		return nil, fmt.Errorf("open pki: Dir is required")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Wait == nil {
		cfg.Wait = wait
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make pki directory: %w", err)
	}
	p := &PKI{cfg: cfg}
	p.mu.leaves = map[string]*Leaf{}
	var err error
	if p.ca, err = openAuthority(cfg.Dir, "ca", "kubernetes", cfg.Now); err != nil {
		return nil, err
	}
	if p.frontProxy, err = openAuthority(cfg.Dir, "front-proxy-ca", "front-proxy-ca", cfg.Now); err != nil {
		return nil, err
	}
	if p.tokens, err = openTokenKey(cfg.Dir); err != nil {
		return nil, err
	}
	return p, p.openLeaves()
}

func (p *PKI) openLeaves() error {
	dns := append([]string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
		"kubernetes.default.svc.cluster.local"}, p.cfg.Names...)
	ips := append([]net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}, p.cfg.Addresses...)
	if p.cfg.ServiceAddress != nil {
		ips = append(ips, p.cfg.ServiceAddress)
	}
	serving := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	client := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	for _, l := range []struct {
		to   **Leaf
		by   *authority
		spec leafSpec
	}{
		{&p.server, p.ca, leafSpec{file: "apiserver", name: "kube-apiserver", dns: dns, ips: ips, usage: serving}},
		{&p.admin, p.ca, leafSpec{file: "admin", name: "kubernetes-admin", groups: []string{"system:masters"}, usage: client}},
		// Upstream's name; kubelet-api-admin is what it is bound to.
		{&p.nodeClient, p.ca, leafSpec{file: "apiserver-kubelet-client", name: NodeClientUser, usage: client}},
		{&p.frontProxyClient, p.frontProxy, leafSpec{file: "front-proxy-client", name: FrontProxyUser, usage: client}},
	} {
		leaf, err := p.open(l.by, l.spec)
		if err != nil {
			return err
		}
		*l.to = leaf
	}
	return nil
}

// NodeClientUser is the user as which the API server talks to nodes. Nodes let no other identity in that the API
// server does not vouch for.
const NodeClientUser = "kube-apiserver-kubelet-client"

// FrontProxyUser is the name under which the API server tells aggregated ones who asks.
const FrontProxyUser = "front-proxy-client"

// CA returns the certificates that clients and nodes trust, in PEM.
func (p *PKI) CA() []byte { return p.ca.pem }

// CAPool returns the same for use in a tls.Config.
func (p *PKI) CAPool() *x509.CertPool { return p.ca.pool }

// FrontProxyCA returns the certificates that aggregated API servers trust to name users, in PEM.
func (p *PKI) FrontProxyCA() []byte { return p.frontProxy.pem }

// FrontProxyPool returns the same for checking who names users.
func (p *PKI) FrontProxyPool() *x509.CertPool { return p.frontProxy.pool }

// TokenKey signs service account tokens.
func (p *PKI) TokenKey() *ecdsa.PrivateKey { return p.tokens }

// Server is the certificate that the API server shows.
func (p *PKI) Server() *Leaf { return p.server }

// Admin is the client certificate of a member of system:masters.
func (p *PKI) Admin() *Leaf { return p.admin }

// NodeClient is the client certificate with which the API server calls nodes.
func (p *PKI) NodeClient() *Leaf { return p.nodeClient }

// FrontProxyClient is the client certificate with which the API server calls aggregated API servers.
func (p *PKI) FrontProxyClient() *Leaf { return p.frontProxyClient }

// Node opens the two certificates of a node that runs beside the server: the one it asks the API with, and the one
// it serves its own API with.
func (p *PKI) Node(name string, dns []string, addresses []net.IP) (client, serving *Leaf, err error) {
	if err := checkNodeName(name); err != nil {
		return nil, nil, err
	}
	client, err = p.open(p.ca, leafSpec{
		file: filepath.Join("nodes", name+"-client"), name: "system:node:" + name, groups: []string{"system:nodes"},
		usage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return nil, nil, err
	}
	serving, err = p.open(p.ca, leafSpec{
		file: filepath.Join("nodes", name+"-serving"), name: "system:node:" + name, groups: []string{"system:nodes"},
		dns: append([]string{name}, dns...), ips: addresses,
		usage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	return client, serving, err
}

// Run renews certificates before they expire and takes up those that somebody replaced on disk, until ctx ends.
func (p *PKI) Run(ctx context.Context) error {
	for {
		if err := p.cfg.Wait(ctx, checkInterval); err != nil {
			return nil // ctx ended
		}
		p.Refresh()
	}
}

// checkInterval bounds how long a replaced file goes unseen. Reading a handful of small files costs nothing.
const checkInterval = 10 * time.Minute

// Refresh does once what Run does from time to time. What cannot be renewed is logged, and tried again.
func (p *PKI) Refresh() {
	p.mu.Lock()
	leaves := make([]*Leaf, 0, len(p.mu.leaves))
	for _, l := range p.mu.leaves {
		leaves = append(leaves, l)
	}
	p.mu.Unlock()
	for _, l := range leaves {
		if err := l.refresh(); err != nil {
			p.cfg.Log.Error("certificate not renewed", "error", err)
		}
	}
}

// open loads or issues a leaf, and has Run renew it from now on.
func (p *PKI) open(by *authority, spec leafSpec) (*Leaf, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.mu.leaves[spec.file]
	if l == nil {
		l = &Leaf{by: by, dir: p.cfg.Dir, now: p.cfg.Now, log: p.cfg.Log}
	}
	l.setSpec(spec)
	if err := l.refresh(); err != nil {
		return nil, err
	}
	p.mu.leaves[spec.file] = l
	return l, nil
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
