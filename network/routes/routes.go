// Package routes leads packets for the pods of other nodes to those nodes.
//
// Each node has a range of pod addresses of its own. Where another node is on a link of this one, the way to its range is a
// plain route; where routers that know nothing of pods lie between, it is a route into a VXLAN tunnel (RFC 7348) to that node.
// What a tunnel needs to know of its other end follows from the addresses in the Node objects, so nodes exchange nothing
// else.
//
// It owns the routes of its protocol number, and the tunnel's link. When the API cannot be reached the kernel goes on with
// the routes it has; they stay when the agent ends. When a link goes, the kernel drops its routes, and they are set again
// when links change.
package routes

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	v1 "k8s.io/api/core/v1"

	"proa/client"
	"proa/network/follow"
)

// Config is what a Sync needs. All but Log and After are required.
type Config struct {
	Client client.Client
	Kernel *Kernel
	Node   string
	Pods   netip.Prefix // range of the cluster: routes lead nowhere else
	Log    *slog.Logger
	After  func(time.Duration) <-chan time.Time // nil means time.After
}

// Sync keeps the routes in step with the cluster's nodes.
type Sync struct {
	cfg  Config
	loop *follow.Loop
	last string // the routes as they were logged last
}

const nodesTable = "nodes"

// New starts nothing.
func New(cfg Config) *Sync {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	s := &Sync{cfg: cfg}
	s.loop = follow.New(follow.Config{
		Client: cfg.Client, Log: cfg.Log, After: cfg.After, Do: s.apply,
		Tables: map[string]func(client.Event) bool{nodesTable: moves},
	})
	return s
}

// Run works until ctx ends.
func (s *Sync) Run(ctx context.Context) error {
	if err := s.cfg.Kernel.OnChange(ctx, s.loop.Mark); err != nil {
		return err
	}
	s.loop.Run(ctx)
	return nil
}

func (s *Sync) apply() error {
	peers := plan(s.cfg.Node, s.cfg.Pods, client.List[*v1.Node](s.cfg.Client.View(), nodesTable, ""))
	routes, err := s.cfg.Kernel.Apply(peers)
	if err != nil {
		return fmt.Errorf("routes to other nodes: %w", err)
	}
	if routes != s.last {
		s.cfg.Log.Info("routes to other nodes", "routes", routes)
		s.last = routes
	}
	return nil
}

// moves says whether an event changes where a node's pods are: nodes say every few seconds that they are alive.
func moves(e client.Event) bool {
	now, ok := e.Object.(*v1.Node)
	before, had := e.Old.(*v1.Node)
	if !ok || !had || e.Type != client.Updated {
		return true
	}
	return peerOf(now) != peerOf(before)
}
