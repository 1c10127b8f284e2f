package edge

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Door serves requests by the routes that it was given last.
type Door struct {
	log      *slog.Logger
	router   atomic.Pointer[router]
	proxy    *httputil.ReverseProxy
	fallback tls.Certificate // shown for names that no certificate covers, as one has to be
}

// NewDoor makes a door without routes: it answers 404.
func NewDoor(log *slog.Logger) (*Door, error) {
	d := &Door{log: log}
	d.router.Store(&router{})
	var err error
	if d.fallback, err = selfSigned(); err != nil {
		return nil, err
	}
	d.proxy = &httputil.ReverseProxy{
		Rewrite: rewrite, Transport: &retrying{next: transport()}, ErrorHandler: d.failed, BufferPool: &buffers{},
		FlushInterval: -1, // events and the like are passed on as they come
		ErrorLog:      slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return d, nil
}

// Serve takes new routes. Requests under way keep the old ones.
func (d *Door) Serve(r *Routes) {
	next, wrong := newRouter(r)
	for _, err := range wrong {
		d.log.Error("a certificate is not served", "err", err)
	}
	d.router.Store(next)
}

type backendKey struct{}

// ServeHTTP leads a request to its backend.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b := d.router.Load().find(r.Host, r.URL.Path)
	switch {
	case b == nil:
		http.Error(w, "no route for this host and path", http.StatusNotFound)
		return
	case len(b.addresses) == 0:
		http.Error(w, "no pod serves this at present", http.StatusServiceUnavailable)
		return
	}
	d.proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), backendKey{}, b)))
}

// rewrite makes the request to the backend: as it came, with what is known of the client.
func rewrite(p *httputil.ProxyRequest) {
	p.Out.URL.Scheme, p.Out.Host = "http", p.In.Host
	p.SetXForwarded()
	if prior := p.In.Header.Values("X-Forwarded-For"); len(prior) > 0 { // not ours to know whom to believe: all are passed on
		client := p.Out.Header.Get("X-Forwarded-For")
		p.Out.Header["X-Forwarded-For"] = append(append([]string(nil), prior...), client)
	}
	if _, port, err := net.SplitHostPort(p.In.Host); err == nil {
		p.Out.Header.Set("X-Forwarded-Port", port)
	} else if p.In.TLS != nil {
		p.Out.Header.Set("X-Forwarded-Port", "443")
	} else {
		p.Out.Header.Set("X-Forwarded-Port", "80")
	}
}

func (d *Door) failed(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) { // the client is gone
		w.WriteHeader(499)
		return
	}
	d.log.Debug("a backend did not answer", "host", r.Host, "path", r.URL.Path, "err", err)
	http.Error(w, "the pod that serves this did not answer", http.StatusBadGateway)
}

func transport() *http.Transport {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 2 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		MaxIdleConns:        10000,
		MaxIdleConnsPerHost: 512, // per pod
		IdleConnTimeout:     60 * time.Second,
		DisableCompression:  true, // bytes are passed on as they are
	}
}

// retrying asks another address when the one it asked cannot be reached: nothing has been sent yet, so that does no harm.
type retrying struct{ next http.RoundTripper }

func (t *retrying) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r.Body = io.NopCloser(r.Body) // a transport closes it when it cannot connect, and the next attempt needs it
	}
	var failed error
	for address := range r.Context().Value(backendKey{}).(*backend).turns() {
		r.URL.Host = address
		response, err := t.next.RoundTrip(r)
		if err == nil {
			return response, nil
		}
		failed = err
		var op *net.OpError
		if !errors.As(err, &op) || op.Op != "dial" || r.Context().Err() != nil {
			break
		}
	}
	return nil, failed
}

// Listeners opens the two ports; a process that takes over may open them while another still has them.
func Listeners(ctx context.Context, address string) (plain, secure net.Listener, err error) {
	listen := net.ListenConfig{Control: reusePort}
	if plain, err = listen.Listen(ctx, "tcp", net.JoinHostPort(address, "80")); err != nil {
		return nil, nil, fmt.Errorf("listen for HTTP: %w", err)
	}
	if secure, err = listen.Listen(ctx, "tcp", net.JoinHostPort(address, "443")); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("listen for HTTPS: %w", err), plain.Close())
	}
	return plain, secure, nil
}

func reusePort(_, _ string, c syscall.RawConn) error {
	var failed error
	if err := c.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) }); err != nil {
		return err
	}
	return failed
}

// Run serves both listeners until ctx ends, and then what is under way for up to grace.
func (d *Door) Run(ctx context.Context, plain, secure net.Listener, grace time.Duration) error {
	server := func() *http.Server {
		return &http.Server{Handler: d, ReadHeaderTimeout: 30 * time.Second, IdleTimeout: 3 * time.Minute, ErrorLog: slog.NewLogLogger(d.log.Handler(), slog.LevelDebug)}
	}
	open, closed := server(), server()
	closed.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: d.certificate}
	failed := make(chan error, 2)
	go func() { failed <- open.Serve(plain) }()
	go func() { failed <- closed.ServeTLS(secure, "", "") }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve the front door: %w", errors.Join(err, open.Close(), closed.Close()))
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	err := errors.Join(open.Shutdown(end), closed.Shutdown(end))
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.Join(open.Close(), closed.Close())
	}
	return err
}

func (d *Door) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c := d.router.Load().certificate(hello.ServerName); c != nil {
		return c, nil
	}
	return &d.fallback, nil
}

func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Proa's front door has no certificate for this name"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(10, 0, 0), DNSNames: []string{"invalid"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// buffers are what bodies are copied through.
type buffers struct{ pool sync.Pool }

const bufferSize = 32 << 10

// Get implements httputil.BufferPool.
func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return *p
	}
	return make([]byte, bufferSize)
}

// Put implements httputil.BufferPool.
func (b *buffers) Put(p []byte) { b.pool.Put(&p) }
