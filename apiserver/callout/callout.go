// Package callout calls what the cluster's objects and configuration name: webhooks of admission, conversion, audit,
// authentication and authorization, and aggregated servers.
//
// It decides which address a Service or a URL stands for, and dials exactly the address that it checked. It owns the
// connections that it keeps for reuse. The parts of the API server call it; what they send and what an answer means is
// theirs. When the other side is gone, the call fails within its context's time and nothing stays open.
//
// No redirect is followed, no proxy of the environment is used, and neither the link's addresses, where clouds keep their
// metadata, nor this host's own are reached through a name or a Service.
package callout

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"sync"
	"time"

	"proa/store"
)

// Config says where Services are looked up and how addresses are reached.
type Config struct {
	Source Source // required
	// Dial opens a connection to an address that has been checked. Optional: a net.Dialer's DialContext.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Lookup resolves a name. Optional: the resolver of the host.
	Lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Source yields the newest committed state.
type Source interface{ Snapshot() store.Snapshot }

// Service is a port of a Service, and a path there.
type Service struct {
	Namespace, Name string
	Port            int32  // 0 means 443
	Path            string // optional
}

// Target is what is to be called: a URL or a Service.
type Target struct {
	URL     string
	Service *Service
	// CABundle is PEM of the authorities that the other side's certificate is checked against. Empty: the host's.
	CABundle []byte
	// TLS is optional: the client's certificate, and what else differs from the default. It is shared: not to be changed
	// after. CABundle is added to it.
	TLS *tls.Config
	// Agent is the User-Agent of calls. Optional: "kube-apiserver".
	Agent string
}

// Caller makes endpoints of targets. It is safe for many goroutines.
type Caller struct {
	cfg Config
	mu  struct {
		sync.Mutex
		endpoints map[key]*Endpoint
	}
}

// key is a Target by value.
type key struct {
	url, host, agent string
	authorities      [sha256.Size]byte
	tls              *tls.Config
}

// mostEndpoints bounds what is kept for reuse.
const mostEndpoints = 256

// New makes a caller. It connects to nothing.
func New(c Config) (*Caller, error) {
	if c.Source == nil {
		return nil, errors.New("make caller of webhooks: Source is required")
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	}
	if c.Lookup == nil {
		c.Lookup = net.DefaultResolver.LookupNetIP
	}
	return &Caller{cfg: c}, nil
}

// Endpoint is where a target is reached. Equal targets share one, with its connections. It connects when it is first used.
type Endpoint struct {
	// URL is what requests are sent to. Of a Service it names the Service, as its certificate does: https://NAME.NAMESPACE.svc:PORT/PATH.
	URL       url.URL
	agent     string
	transport *http.Transport
	client    *http.Client
}

// Endpoint finds or makes the endpoint of a target, or says what is wrong with the target.
func (c *Caller) Endpoint(t Target) (*Endpoint, error) {
	to, err := t.location()
	if err != nil {
		return nil, err
	}
	k := key{url: to.String(), agent: t.Agent, authorities: sha256.Sum256(t.CABundle), tls: t.TLS}
	if t.Service != nil {
		k.host = t.Service.Namespace + "/" + t.Service.Name
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.mu.endpoints[k]; e != nil {
		return e, nil
	}
	e, err := c.make(t, to)
	if err != nil {
		return nil, err
	}
	if c.mu.endpoints == nil || len(c.mu.endpoints) >= mostEndpoints {
		c.mu.endpoints = map[key]*Endpoint{} // idle connections of the forgotten end by themselves
	}
	c.mu.endpoints[k] = e
	return e, nil
}

// location is the URL of a target.
func (t *Target) location() (*url.URL, error) {
	switch {
	case t.Service != nil:
		s := t.Service
		if s.Name == "" || s.Namespace == "" {
			return nil, errors.New("cannot resolve an empty service name or namespace or port")
		}
		host := net.JoinHostPort(serverName(s), strconv.Itoa(int(s.port())))
		to, err := url.Parse("https://" + host)
		if err != nil {
			return nil, fmt.Errorf("parse address of service: %w", err)
		}
		to.Path = s.Path
		return to, nil
	case t.URL == "":
		return nil, errors.New("webhook configuration must have either service or URL")
	}
	to, err := url.Parse(t.URL)
	if err != nil {
		return nil, fmt.Errorf("Unparsable URL: %w", err) //nolint:staticcheck // upstream's text
	}
	return to, nil
}

func (s *Service) port() int32 {
	if s.Port == 0 {
		return 443
	}
	return s.Port
}

// serverName is what the certificate of a Service is for.
func serverName(s *Service) string { return s.Name + "." + s.Namespace + ".svc" }

func (c *Caller) make(t Target, to *url.URL) (*Endpoint, error) {
	secure, err := t.secure()
	if err != nil {
		return nil, err
	}
	dial := c.dialURL(to.Hostname())
	if t.Service != nil {
		if secure.ServerName == "" {
			secure.ServerName = serverName(t.Service)
		}
		dial = c.dialService(*t.Service)
	}
	// HTTP/1.1 alone: one connection of HTTP/2 would carry every call to the same of several backends.
	secure.NextProtos = []string{"http/1.1"}
	transport := &http.Transport{
		TLSClientConfig: secure, DialContext: dial, TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConnsPerHost: 25, IdleConnTimeout: 90 * time.Second, DisableCompression: true,
	}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &Endpoint{URL: *to, agent: cmp.Or(t.Agent, "kube-apiserver"), transport: transport, client: client}, nil
}

// secure is how the other side is spoken to.
func (t *Target) secure() (*tls.Config, error) {
	out := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.TLS != nil {
		out = t.TLS.Clone()
	}
	if len(bytes.TrimSpace(t.CABundle)) == 0 {
		return out, nil
	}
	pool := x509.NewCertPool()
	if out.RootCAs != nil {
		pool = out.RootCAs.Clone()
	}
	if !pool.AppendCertsFromPEM(t.CABundle) {
		return nil, errors.New("unable to load root certificates: unable to parse bytes as PEM block")
	}
	out.RootCAs = pool
	return out, nil
}

// Transport carries requests to the endpoint alone, whatever host their URL names: for who passes requests on. It follows no
// redirect.
func (e *Endpoint) Transport() http.RoundTripper { return e.transport }
