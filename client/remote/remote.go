// Package remote is the API over HTTPS, for processes that are not the server.
//
// It makes requests and opens streams under one identity, a client certificate or a bearer token, and decides nothing:
// what comes back is decoded, errors become API errors. It holds connections, and no objects: package cache makes a
// client.Client of it that has views. When the API cannot be reached every call fails at once or by its deadline, and
// the caller tries again; only what the server itself puts off (429 with Retry-After) is tried again here.
package remote

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/clock"

	"proa/client"
	"proa/kinds"
)

// Config says where the API is and who asks.
type Config struct {
	Server string       // required: https://HOST:PORT
	Kinds  *kinds.Table // required
	// TLS says whom to trust and, by GetClientCertificate, who asks. It is not changed. Required for https.
	TLS *tls.Config
	// Token gives the bearer token of each request. Optional: the certificate then says who asks.
	Token func() (string, error)
	// Agent is the user agent. What stands before its first slash becomes the field manager of writes.
	Agent   string        // "proa" if empty
	Timeout time.Duration // of calls whose context has no deadline; 30 s if zero
	Clock   clock.Clock   // the real one if nil; for the pauses that the server asks for
	Dialer  *net.Dialer   // optional
}

// Remote is the API over HTTPS. It may be used by many goroutines.
type Remote struct {
	cfg    Config
	server *url.URL
	scheme *runtime.Scheme
	mu     struct {
		sync.Mutex
		transport *http.Transport
	}
}

var _ client.Streamer = (*Remote)(nil)

// New makes a client. It connects at the first call.
func New(cfg Config) (*Remote, error) {
	server, err := url.Parse(cfg.Server)
	switch {
	case err != nil:
		return nil, fmt.Errorf("make client: %w", err)
	case server.Scheme != "https" && server.Scheme != "http" || server.Host == "":
		return nil, fmt.Errorf("make client: the server %q is not of the form https://HOST:PORT", cfg.Server)
	case cfg.Kinds == nil:
		return nil, errors.New("make client: Kinds is required")
	case server.Scheme == "https" && cfg.TLS == nil:
		return nil, errors.New("make client: TLS is required")
	}
	if cfg.Agent == "" {
		cfg.Agent = "proa"
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 30 * time.Second
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.RealClock{}
	}
	if cfg.Dialer == nil {
		cfg.Dialer = &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	}
	server.Path, server.RawQuery = "", ""
	r := &Remote{cfg: cfg, server: server, scheme: kinds.NewScheme()}
	r.mu.transport = r.newTransport()
	return r, nil
}

// newTransport makes a pool of connections. Pings find a dead connection within a minute, also below a silent stream.
func (r *Remote) newTransport() *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	t := &http.Transport{
		DialContext: r.cfg.Dialer.DialContext, TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: 90 * time.Second,
		MaxIdleConnsPerHost: 8, DisableCompression: true, Protocols: protocols,
		HTTP2: &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
	}
	if r.cfg.TLS != nil {
		t.TLSClientConfig = r.cfg.TLS.Clone()
	}
	return t
}

func (r *Remote) transport() *http.Transport {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.transport
}

// Reconnect has all further calls use new connections, and with them the newest certificate. Calls and streams under way
// are not cut: their connections close when they have ended, streams by the server's time limit at the latest.
func (r *Remote) Reconnect() {
	r.mu.Lock()
	old := r.mu.transport
	r.mu.transport = r.newTransport()
	r.mu.Unlock()
	old.CloseIdleConnections()
}

// Close drops idle connections.
func (r *Remote) Close() { r.transport().CloseIdleConnections() }
