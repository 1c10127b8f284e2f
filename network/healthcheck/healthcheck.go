// Package healthcheck tells load balancers which nodes have a pod of a Service that keeps its clients' addresses: with
// externalTrafficPolicy Local a node leads connections to its own pods alone. Each such Service has a port on every node,
// healthCheckNodePort, which answers 200 where a pod is and 503 where none is, in the form that kube-proxy has.
//
// It decides nothing; package network says what to answer. It owns the listeners. When the API cannot be reached it goes on
// answering what it knew; a port that something else has is logged, and tried again with the next change.
package healthcheck

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"proa/network/ruleset"
)

// Server answers for one node.
type Server struct {
	log    *slog.Logger
	listen func(port uint16) (net.Listener, error)
	mu     struct {
		sync.Mutex
		open    map[uint16]*http.Server
		checks  map[uint16]ruleset.Check
		healthy bool
	}
}

// New makes a server without ports. listen opens them; nil means on all addresses of the process' network.
func New(log *slog.Logger, listen func(port uint16) (net.Listener, error)) *Server {
	if listen == nil {
		listen = func(port uint16) (net.Listener, error) { return net.Listen("tcp4", ":"+strconv.Itoa(int(port))) }
	}
	s := &Server{log: log, listen: listen}
	s.mu.open, s.mu.checks = map[uint16]*http.Server{}, map[uint16]ruleset.Check{}
	return s
}

// Set says what to answer from now on. healthy is whether the node's packet rules are those that are wanted; without, no
// connections should come here.
func (s *Server) Set(checks []ruleset.Check, healthy bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.healthy = healthy
	clear(s.mu.checks)
	for _, c := range checks {
		s.mu.checks[c.Port] = c
		if s.mu.open[c.Port] == nil {
			s.openLocked(c.Port)
		}
	}
	for port, server := range s.mu.open {
		if _, wanted := s.mu.checks[port]; !wanted {
			delete(s.mu.open, port)
			s.close(port, server)
		}
	}
}

func (s *Server) openLocked(port uint16) {
	listener, err := s.listen(port)
	if err != nil {
		s.log.Error("the health of a Service is not told", "port", port, "err", err)
		return
	}
	server := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { s.answer(w, port) }),
		ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	s.mu.open[port] = server
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("the health of a Service is told no longer", "port", port, "err", err)
		}
	}()
}

func (s *Server) close(port uint16, server *http.Server) {
	if err := server.Close(); err != nil {
		s.log.Warn("close the port of a Service's health", "port", port, "err", err)
	}
}

// Run returns when ctx ends and all ports are closed.
func (s *Server) Run(ctx context.Context) error {
	<-ctx.Done()
	s.Set(nil, false)
	return nil
}

// answer is what a load balancer is told; its form is kube-proxy's.
type answer struct {
	Service struct {
		Namespace string `json:"namespace"`
		Name      string `json:"name"`
	} `json:"service"`
	LocalEndpoints      int  `json:"localEndpoints"`
	ServiceProxyHealthy bool `json:"serviceProxyHealthy"`
}

func (s *Server) answer(w http.ResponseWriter, port uint16) {
	s.mu.Lock()
	check, known := s.mu.checks[port]
	a := answer{LocalEndpoints: check.Local, ServiceProxyHealthy: s.mu.healthy}
	s.mu.Unlock()
	if !known {
		http.Error(w, "no Service has this port", http.StatusServiceUnavailable)
		return
	}
	a.Service.Namespace, a.Service.Name = check.Namespace, check.Name
	body, err := json.MarshalIndent(a, "", "\t")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("X-Load-Balancing-Endpoint-Weight", strconv.Itoa(check.Local))
	if check.Local == 0 || !a.ServiceProxyHealthy {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = w.Write(body) // a client that is gone needs no answer
}
