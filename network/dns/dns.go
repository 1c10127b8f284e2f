// Package dns answers the cluster's names: Services, their endpoints and pods, as the specification
// https://github.com/kubernetes/dns/blob/master/docs/specification.md (schema version 1.1.0) says, and forwards all other
// names to the resolvers of the node.
//
// Every answer is computed from the newest View when it is asked for, so there is no copy of the records that could be
// stale. When the API is unreachable the last View goes on answering; when no resolver answers, the client gets SERVFAIL.
package dns

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"github.com/miekg/dns"

	"proa/client"
)

// Config is what a Server needs. All but Upstream and Log are required.
type Config struct {
	View     func() client.View
	Zone     string   // the cluster's domain, "cluster.local"
	Listen   []string // addresses with ports, UDP and TCP each
	Upstream []string // resolvers with ports, asked in turn; none: other names do not exist
	Log      *slog.Logger
	// ListenPacket and ListenStream open the sockets; nil means those of package net.
	ListenPacket func(network, addr string) (net.PacketConn, error)
	ListenStream func(network, addr string) (net.Listener, error)
}

// Server is the cluster's DNS server on one node.
type Server struct{ cfg Config }

// New checks the configuration. It opens nothing.
func New(cfg Config) (*Server, error) {
	if cfg.View == nil || cfg.Zone == "" || len(cfg.Listen) == 0 {
		return nil, errors.New("dns: View, Zone and Listen are required")
	}
	cfg.Zone = dns.Fqdn(cfg.Zone)
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.ListenPacket == nil {
		cfg.ListenPacket = net.ListenPacket
	}
	if cfg.ListenStream == nil {
		cfg.ListenStream = net.Listen
	}
	return &Server{cfg: cfg}, nil
}

// Run serves until ctx ends. It fails at once when an address cannot be listened on.
func (s *Server) Run(ctx context.Context) error {
	var servers []*dns.Server
	for _, addr := range s.cfg.Listen {
		packet, err := s.cfg.ListenPacket("udp4", addr)
		if err != nil {
			return errors.Join(fmt.Errorf("listen for DNS: %w", err), shutdown(servers))
		}
		servers = append(servers, &dns.Server{PacketConn: packet, Handler: s, UDPSize: maxUDP})
		stream, err := s.cfg.ListenStream("tcp4", addr)
		if err != nil {
			return errors.Join(fmt.Errorf("listen for DNS: %w", err), shutdown(servers))
		}
		servers = append(servers, &dns.Server{Listener: stream, Handler: s})
	}
	done := make(chan error, len(servers))
	for _, server := range servers {
		go func() { done <- server.ActivateAndServe() }()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-done:
	}
	return errors.Join(err, shutdown(servers))
}

// shutdown closes the sockets, also those of servers that have not come to serve yet.
func shutdown(servers []*dns.Server) error {
	for _, s := range servers {
		_ = s.Shutdown() // fails only when the server did not start
		if s.PacketConn != nil {
			s.PacketConn.Close()
		}
		if s.Listener != nil {
			s.Listener.Close()
		}
	}
	return nil
}

// maxUDP is the largest answer sent over UDP, in bytes, to clients that allow it.
const maxUDP = 1232

// ServeDNS answers one question.
func (s *Server) ServeDNS(w dns.ResponseWriter, request *dns.Msg) {
	reply := s.reply(request, w.RemoteAddr().Network())
	if w.RemoteAddr().Network() == "udp" {
		size := dns.MinMsgSize
		if opt := request.IsEdns0(); opt != nil {
			size = min(max(int(opt.UDPSize()), dns.MinMsgSize), maxUDP)
		}
		reply.Truncate(size)
	}
	if err := w.WriteMsg(reply); err != nil {
		s.cfg.Log.Debug("DNS answer could not be sent", "err", err)
	}
}

func (s *Server) reply(request *dns.Msg, network string) *dns.Msg {
	reply := new(dns.Msg).SetReply(request)
	reply.RecursionAvailable = true
	if request.Opcode != dns.OpcodeQuery || len(request.Question) != 1 {
		reply.Rcode = dns.RcodeNotImplemented
		return reply
	}
	question := request.Question[0]
	a := Resolve(s.cfg.View(), s.cfg.Zone, question)
	if !a.Ours {
		return s.forward(request, reply, network)
	}
	reply.Authoritative = true
	reply.Rcode, reply.Answer, reply.Extra = a.Rcode, a.Records, a.Extra
	if a.Alias != "" { // the name of a Service outside the cluster: its addresses come along
		alias := new(dns.Msg).SetQuestion(a.Alias, question.Qtype)
		reply.Answer = append(reply.Answer, s.reply(alias, network).Answer...)
	}
	if len(reply.Answer) == 0 {
		reply.Ns = []dns.RR{soa(s.cfg.Zone)}
	}
	if opt := request.IsEdns0(); opt != nil {
		reply.SetEdns0(maxUDP, false)
	}
	return reply
}

// forward asks the resolvers outside in turn.
func (s *Server) forward(request, reply *dns.Msg, network string) *dns.Msg {
	if len(s.cfg.Upstream) == 0 {
		reply.Rcode = dns.RcodeNameError
		return reply
	}
	exchange := &dns.Client{Net: network, UDPSize: dns.MaxMsgSize}
	for _, resolver := range s.cfg.Upstream {
		answer, _, err := exchange.Exchange(request, resolver)
		if err == nil {
			return answer
		}
		s.cfg.Log.Debug("resolver did not answer", "resolver", resolver, "err", err)
	}
	reply.Rcode = dns.RcodeServerFailure
	return reply
}
