package join

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"os"
	"sync/atomic"
	"time"
)

// KeysConfig says whose keys these are. Dir, Server and Node are required.
type KeysConfig struct {
	Dir     string     // made with mode 0700 if absent
	Server  string     // https://ADDRESS:PORT
	Token   string     // needed when the directory has no certificate that is valid
	Node    string     // the node's name
	Address netip.Addr // the node's; not valid: the one from which the server is reached
	Log     *slog.Logger
	Now     func() time.Time                                 // time.Now if nil
	Wait    func(ctx context.Context, d time.Duration) error // what pauses are made with; a timer if nil
	// Renewed is called when there are new certificates, so that connections can be made with them. Optional.
	Renewed func()
}

// Keys is a node's certificates and what it knows of its cluster. Users of its certificates always get the newest.
type Keys struct {
	cfg     KeysConfig
	files   files
	current atomic.Pointer[identity]
}

// identity is what a node has after joining. It is never changed.
type identity struct {
	authority []byte
	pool      *x509.CertPool
	client    *tls.Certificate
	serving   *tls.Certificate
	settings  settings
}

// settings is kept in a file beside the keys.
type settings struct {
	Node string `json:"node"`
	NodeSetting
	Cluster
}

// NewKeys makes the keys of a node, which have nothing before Join.
func NewKeys(cfg KeysConfig) (*Keys, error) {
	if cfg.Dir == "" || cfg.Node == "" {
		return nil, errors.New("open the node's keys: Dir and Node are required")
	}
	var err error
	if cfg.Server, err = serverURL(cfg.Server); err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Wait == nil {
		cfg.Wait = wait
	}
	return &Keys{cfg: cfg, files: files{cfg.Dir}}, nil
}

// Join takes up what the directory has, or joins with the token. It tries until the server is reached; what the server
// refuses is an error.
func (k *Keys) Join(ctx context.Context) error {
	if err := os.MkdirAll(k.cfg.Dir, 0o700); err != nil {
		return fmt.Errorf("make directory of the node's keys: %w", err)
	}
	have, err := k.files.read()
	switch {
	case err != nil && !errors.Is(err, os.ErrNotExist):
		k.cfg.Log.Warn("the node joins anew", "reason", err)
	case err == nil && have.settings.Node != k.cfg.Node:
		return fmt.Errorf("this machine has joined as node %q, not %q: remove %s to make it another node", have.settings.Node, k.cfg.Node, k.cfg.Dir)
	case err == nil && k.valid(have):
		k.current.Store(have)
		return nil
	}
	if k.cfg.Token == "" {
		return fmt.Errorf("this node has no certificates that are valid in %s: give --token, which proa token prints on the server", k.cfg.Dir)
	}
	token, err := ParseToken(k.cfg.Token)
	if err != nil {
		return err
	}
	return k.retry(ctx, "join", time.Second, 30*time.Second, func() error { return k.first(ctx, token) })
}

// first joins with the token.
func (k *Keys) first(ctx context.Context, token Token) error {
	authority, err := k.contact().authority(ctx, token)
	if err != nil {
		return err
	}
	return k.obtain(ctx, &identity{authority: authority}, token.Secret)
}

func (k *Keys) contact() contact { return contact{server: k.cfg.Server, from: k.cfg.Address} }

// obtain asks for certificates of new keys and takes them up. The keys are on the disk before they are asked for, so that
// an answer that was lost can be asked for again.
func (k *Keys) obtain(ctx context.Context, have *identity, secret string) error {
	client, clientRequest, err := k.files.pending("client")
	if err != nil {
		return err
	}
	serving, servingRequest, err := k.files.pending("serving")
	if err != nil {
		return err
	}
	answer, err := k.contact().ask(ctx, have.authority, secret, have.client, &Request{
		Node: k.cfg.Node, PodRange: have.settings.PodRange, ClientRequest: clientRequest, ServingRequest: servingRequest,
	})
	if err != nil {
		return err
	}
	got := &identity{authority: answer.Authority, settings: settings{k.cfg.Node, answer.NodeSetting, answer.Cluster}}
	if err := k.files.write(got, client, serving, answer); err != nil {
		return err
	}
	if !k.valid(got) {
		return errors.New("the server's certificates are not valid now: compare the clocks of server and node")
	}
	k.current.Store(got)
	return nil
}

func (k *Keys) valid(i *identity) bool {
	now := k.cfg.Now()
	for _, c := range []*tls.Certificate{i.client, i.serving} {
		if now.Before(c.Leaf.NotBefore) || !now.Before(c.Leaf.NotAfter) {
			return false
		}
	}
	return true
}

// retry calls f until it succeeds or is refused, with pauses that grow and are spread at random.
func (k *Keys) retry(ctx context.Context, what string, pause, longest time.Duration, f func() error) error {
	for {
		err := f()
		var refused *Refused
		if err == nil || errors.As(err, &refused) || ctx.Err() != nil {
			return err
		}
		d := time.Duration(float64(pause) * (0.5 + rand.Float64()))
		k.cfg.Log.Warn(what+" the cluster", "error", err, "again", d.Round(time.Millisecond))
		if err := k.cfg.Wait(ctx, d); err != nil {
			return err
		}
		pause = min(2*pause, longest)
	}
}

// ClientTLS is how the node calls the API.
func (k *Keys) ClientTLS() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: k.current.Load().pool,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return k.current.Load().client, nil }}
}

// ServingTLS is how the node serves its own API.
func (k *Keys) ServingTLS() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, ClientCAs: k.current.Load().pool,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return k.current.Load().serving, nil }}
}

// Settings is what the node got and what its cluster is like.
func (k *Keys) Settings() (NodeSetting, Cluster) {
	s := k.current.Load().settings
	return s.NodeSetting, s.Cluster
}

// Server is where the API is, in the form https://HOST:PORT.
func (k *Keys) Server() string { return k.cfg.Server }

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
