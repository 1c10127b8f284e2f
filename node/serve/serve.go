// Package serve is the node's own HTTPS API: logs, exec, attach and port-forward of its pods, what runs, and what it uses.
//
// It decides who may ask what, and owns the connections while they last. The API server calls it for its users, and
// monitoring for itself; the daemon runs it. It knows callers by certificates of the cluster's authority (or tokens, if it is told
// how to check them) and asks the cluster for every request whether it is allowed; when the cluster cannot be asked, nothing is.
// When the runtime is gone, requests fail with its error; logs, which are files, stay readable. When a client is gone, so is its
// session, whether or not anybody took what it sent.
package serve

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"proa/node/run"
)

// Config is what the API needs. Fields without a note are required.
type Config struct {
	NodeName string
	Address  string      // "IP:port", or ":10250"
	TLS      *tls.Config // with the node's certificate (GetCertificate, so that it can rotate) and the cluster's ClientCAs
	// Authorize asks the cluster; reason is why not.
	Authorize func(ctx context.Context, a Attributes) (allowed bool, reason string, err error)
	// Token finds the user of a bearer token. Optional: without it only certificates are taken.
	Token   func(ctx context.Context, token string) (user authenticationv1.UserInfo, ok bool, err error)
	Pods    Pods
	Runtime runtimeapi.RuntimeServiceClient
	Log     *slog.Logger // optional
	// HeldFor is how long what a client sends may wait to be taken until the client is tried. Optional: 30 seconds.
	HeldFor time.Duration
}

// Pods is what the node's runner knows. It is called from many goroutines.
type Pods interface {
	Pod(namespace, name string) (run.Served, bool)
	Pods() []run.Served
}

// Attributes is what a caller asks to do with the node: a resource request on nodes/NodeName.
type Attributes struct {
	User        authenticationv1.UserInfo
	Verb        string
	Subresource string
	Path        string
}

// Server is the API. Make it with New, then Run it, or serve its Handler elsewhere.
type Server struct {
	cfg Config
	mux *http.ServeMux
}

// New checks the configuration and starts nothing.
func New(cfg Config) (*Server, error) {
	if cfg.NodeName == "" || cfg.TLS == nil || cfg.TLS.ClientCAs == nil || cfg.Authorize == nil || cfg.Pods == nil || cfg.Runtime == nil {
		return nil, errors.New("configure the node's API: NodeName, TLS with ClientCAs, Authorize, Pods and Runtime are required")
	}
	cfg.HeldFor = cmp.Or(cfg.HeldFor, heldFor)
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{cfg: cfg, mux: http.NewServeMux()}
	for _, r := range s.routes() {
		for _, pattern := range r.patterns {
			s.mux.Handle(pattern, s.guard(r))
		}
	}
	return s, nil
}

// route is one thing that can be asked.
type route struct {
	patterns []string
	// subresources of the node: a caller who may use one of them may ask. The finer one comes first (KEP-2862).
	subresources []string
	// stream says that a process or a port of a pod is reached: that is "create", whichever method opens it.
	stream bool
	handle func(w http.ResponseWriter, r *http.Request)
}

// routes is the API.
func (s *Server) routes() []route {
	proxy := []string{"proxy"}
	return []route{
		{[]string{"GET /healthz", "GET /healthz/ping"}, []string{"healthz", "proxy"}, false, s.healthz},
		{[]string{"GET /pods", "GET /pods/{$}"}, []string{"pods", "proxy"}, false, s.pods},
		{[]string{"GET /runningpods", "GET /runningpods/{$}"}, []string{"pods", "proxy"}, false, s.runningPods},
		{[]string{"GET /containerLogs/{namespace}/{pod}/{container}"}, proxy, false, s.containerLogs},
		{[]string{"/exec/{namespace}/{pod}/{container}", "/exec/{namespace}/{pod}/{uid}/{container}"}, proxy, true, s.exec},
		{[]string{"/attach/{namespace}/{pod}/{container}", "/attach/{namespace}/{pod}/{uid}/{container}"}, proxy, true, s.attach},
		{[]string{"/portForward/{namespace}/{pod}", "/portForward/{namespace}/{pod}/{uid}"}, proxy, true, s.portForward},
		{[]string{"GET /stats/summary"}, []string{"stats"}, false, s.summary},
		{[]string{"GET /metrics/resource"}, []string{"metrics"}, false, s.resourceMetrics},
	}
}

// Handler is the API without its listener.
func (s *Server) Handler() http.Handler { return s.mux }

// closeTimeout is what open requests get when the agent ends; streams are cut.
const closeTimeout = 2 * time.Second

// Run serves until ctx is done.
func (s *Server) Run(ctx context.Context) error {
	listener, err := net.Listen("tcp", s.cfg.Address)
	if err != nil {
		return fmt.Errorf("serve the node's API: %w", err)
	}
	return s.Serve(ctx, listener)
}

// Serve is Run on a listener that is open already; it closes it.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	config := s.cfg.TLS.Clone()
	// Certificates are asked for, and checked in guard, so that a caller without one is told so in words.
	config.ClientAuth = tls.RequestClientCert
	// Streams take the connection over, which HTTP/2 cannot give away.
	config.NextProtos = []string{"http/1.1"}
	requests, end := context.WithCancel(ctx)
	defer end()
	server := &http.Server{Handler: s.mux, ReadHeaderTimeout: 30 * time.Second, IdleTimeout: 90 * time.Second,
		BaseContext: func(net.Listener) context.Context { return requests },
		ErrorLog:    slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug)}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(tls.NewListener(listener, config)) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve the node's API: %w", err)
	case <-ctx.Done():
	}
	closing, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if server.Shutdown(closing) != nil {
		server.Close()
	}
	<-ended
	return ctx.Err()
}

func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }
