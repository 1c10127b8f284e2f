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
	cfg   Config
	dirty chan struct{} // holds one token when something changed
}

const nodesTable = "nodes"

// retryAfter is the pause before routes that the kernel refused, or a watch that broke, are tried again.
const retryAfter = time.Second

// New starts nothing.
func New(cfg Config) *Sync {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.After == nil {
		cfg.After = time.After
	}
	return &Sync{cfg: cfg, dirty: make(chan struct{}, 1)}
}

// Run works until ctx ends.
func (s *Sync) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	watching := make(chan struct{})
	defer func() { stop(); <-watching }()
	go func() {
		defer close(watching)
		s.follow(ctx)
	}()
	if err := s.cfg.Kernel.OnChange(ctx, s.mark); err != nil {
		return err
	}
	s.mark()
	last := ""
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.dirty:
		}
		peers := plan(s.cfg.Node, s.cfg.Pods, client.List[*v1.Node](s.cfg.Client.View(), nodesTable, ""))
		ways, err := s.cfg.Kernel.Apply(peers)
		if err != nil {
			s.cfg.Log.Error("routes to other nodes could not be set", "err", err)
			if !s.pause(ctx) {
				return nil
			}
			s.mark()
			continue
		}
		if ways != last {
			s.cfg.Log.Info("routes to other nodes", "routes", ways)
			last = ways
		}
	}
}

// follow marks the routes dirty at each change of a node that moves its pods, for as long as ctx lasts.
func (s *Sync) follow(ctx context.Context) {
	for ctx.Err() == nil {
		err := s.followOnce(ctx)
		if ctx.Err() != nil {
			return
		}
		s.cfg.Log.Warn("watch broke", "table", nodesTable, "err", err)
		if !s.pause(ctx) {
			return
		}
	}
}

// followOnce follows until the watch breaks, and says why it did.
func (s *Sync) followOnce(ctx context.Context) error {
	w, err := s.cfg.Client.Watch(nodesTable, s.cfg.Client.View())
	if err != nil {
		return fmt.Errorf("watch %s: %w", nodesTable, err)
	}
	s.mark() // what changed before the watch began
	for {
		events, err := w.Next(ctx)
		if err != nil {
			return err
		}
		for _, e := range events {
			if moves(e) {
				s.mark()
				break
			}
		}
	}
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

func (s *Sync) mark() {
	select {
	case s.dirty <- struct{}{}:
	default: // it is marked already
	}
}

// pause waits before a retry; it returns false when ctx ends.
func (s *Sync) pause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-s.cfg.After(retryAfter):
		return true
	}
}
