// Package network keeps one node's data plane in step with the API: it computes the packet rules anew whenever a Service, an
// EndpointSlice or a pod with host ports changes, and has the kernel follow.
//
// When the API cannot be reached the kernel goes on with the rules it has. When the kernel refuses rules, the error is
// logged and everything is applied afresh after a pause.
package network

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"proa/client"
	"proa/network/proxy"
	"proa/network/ruleset"
)

// Rules is what brings rules into force: nft.Kernel, or a recorder in tests.
type Rules interface {
	Apply(*ruleset.Ruleset) error
}

// Config is what a Sync needs. All but Behind, Skip, Log and After are required.
type Config struct {
	Client         client.Client
	Rules          Rules
	Node           string
	Pods, Services netip.Prefix
	Behind         netip.Prefix           // see ruleset.Ruleset
	Skip           func(*v1.Service) bool // Services that the node answers itself
	Log            *slog.Logger
	After          func(time.Duration) <-chan time.Time // nil means time.After
}

// Sync keeps the packet rules in step with the API.
type Sync struct {
	cfg   Config
	dirty chan struct{} // holds one token when something changed
	ready chan struct{} // closed after the first rules are in force
}

const (
	servicesTable = "services"
	slicesTable   = "endpointslices.discovery.k8s.io"
	podsTable     = "pods"
)

// retryAfter is the pause before rules that the kernel refused, or watches that broke, are tried again.
const retryAfter = time.Second

// New starts nothing.
func New(cfg Config) *Sync {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.After == nil {
		cfg.After = time.After
	}
	return &Sync{cfg: cfg, dirty: make(chan struct{}, 1), ready: make(chan struct{})}
}

// Ready is closed once the first rules are in force.
func (s *Sync) Ready() <-chan struct{} { return s.ready }

// Run works until ctx ends.
func (s *Sync) Run(ctx context.Context) error {
	var watches sync.WaitGroup
	defer watches.Wait()
	for table, matters := range map[string]func(client.Event) bool{servicesTable: always, slicesTable: always, podsTable: hasHostPorts} {
		watches.Go(func() { s.follow(ctx, table, matters) })
	}
	s.mark()
	var once sync.Once
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.dirty:
		}
		if err := s.cfg.Rules.Apply(s.rules()); err != nil {
			s.cfg.Log.Error("packet rules could not be applied", "err", err)
			if !s.pause(ctx) {
				return nil
			}
			s.mark()
			continue
		}
		once.Do(func() { close(s.ready) })
	}
}

// rules computes what the kernel should do by the newest view.
func (s *Sync) rules() *ruleset.Ruleset {
	v := s.cfg.Client.View()
	rules := proxy.Rules(proxy.Input{
		Node: s.cfg.Node, Pods: s.cfg.Pods, Services: s.cfg.Services, Skip: s.cfg.Skip,
		ServiceList: client.List[*v1.Service](v, servicesTable, ""),
		Slices:      client.List[*discoveryv1.EndpointSlice](v, slicesTable, ""),
		PodList:     client.List[*v1.Pod](v, podsTable, ""),
	})
	rules.Behind = s.cfg.Behind
	return rules
}

// follow marks the rules dirty at each change of a table that matters, for as long as ctx lasts.
func (s *Sync) follow(ctx context.Context, table string, matters func(client.Event) bool) {
	for ctx.Err() == nil {
		err := s.followOnce(ctx, table, matters)
		if ctx.Err() != nil {
			return
		}
		s.cfg.Log.Warn("watch broke", "table", table, "err", err)
		if !s.pause(ctx) {
			return
		}
	}
}

// followOnce follows until the watch breaks, and says why it did.
func (s *Sync) followOnce(ctx context.Context, table string, matters func(client.Event) bool) error {
	w, err := s.cfg.Client.Watch(table, s.cfg.Client.View())
	if err != nil {
		return fmt.Errorf("watch %s: %w", table, err)
	}
	s.mark() // what changed before the watch began
	for {
		events, err := w.Next(ctx)
		if err != nil {
			return err
		}
		for _, e := range events {
			if matters(e) {
				s.mark()
				break
			}
		}
	}
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

func always(client.Event) bool { return true }

// hasHostPorts tells the few pods apart that the rules depend on.
func hasHostPorts(e client.Event) bool {
	pod, ok := e.Object.(*v1.Pod)
	if !ok {
		return true
	}
	for _, containers := range [][]v1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			for _, p := range containers[i].Ports {
				if p.HostPort != 0 {
					return true
				}
			}
		}
	}
	return false
}
