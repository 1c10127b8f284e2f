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
	"proa/network/follow"
	"proa/network/healthcheck"
	"proa/network/proxy"
	"proa/network/ruleset"
)

// Rules is what brings rules into force: nft.Kernel, or a recorder in tests.
type Rules interface {
	Apply(*ruleset.Ruleset) error
}

// Config is what a Sync needs. All but Behind, Health, Skip, Log and After are required.
type Config struct {
	Client         client.Client
	Rules          Rules
	Node           string
	Pods, Services netip.Prefix
	Behind         netip.Prefix           // see ruleset.Ruleset
	Health         *healthcheck.Server    // told what load balancers may know
	Skip           func(*v1.Service) bool // Services that the node answers itself
	Log            *slog.Logger
	After          func(time.Duration) <-chan time.Time // nil means time.After
}

// Sync keeps the packet rules in step with the API.
type Sync struct {
	cfg   Config
	ready chan struct{} // closed after the first rules are in force
}

const (
	servicesTable = "services"
	slicesTable   = "endpointslices.discovery.k8s.io"
	podsTable     = "pods"
	nodesTable    = "nodes"
)

// New starts nothing.
func New(cfg Config) *Sync { return &Sync{cfg: cfg, ready: make(chan struct{})} }

// Ready is closed once the first rules are in force.
func (s *Sync) Ready() <-chan struct{} { return s.ready }

// Run works until ctx ends.
func (s *Sync) Run(ctx context.Context) error {
	var once sync.Once
	follow.New(follow.Config{
		Client: s.cfg.Client, Log: s.cfg.Log, After: s.cfg.After,
		Tables: map[string]func(client.Event) bool{servicesTable: follow.Always, slicesTable: follow.Always, podsTable: hasHostPorts, nodesTable: s.moves},
		Do: func() error {
			rules := s.rules()
			err := s.cfg.Rules.Apply(rules)
			if s.cfg.Health != nil {
				s.cfg.Health.Set(rules.Checks, err == nil)
			}
			if err != nil {
				return fmt.Errorf("packet rules: %w", err)
			}
			once.Do(func() { close(s.ready) })
			return nil
		},
	}).Run(ctx)
	return nil
}

// rules computes what the kernel should do by the newest view.
func (s *Sync) rules() *ruleset.Ruleset {
	v := s.cfg.Client.View()
	rules := proxy.Rules(proxy.Input{
		Node: s.cfg.Node, Zone: s.zone(v), Pods: s.cfg.Pods, Services: s.cfg.Services, Skip: s.cfg.Skip,
		ServiceList: client.List[*v1.Service](v, servicesTable, ""),
		Slices:      client.List[*discoveryv1.EndpointSlice](v, slicesTable, ""),
		PodList:     client.List[*v1.Pod](v, podsTable, ""),
	})
	rules.Behind = s.cfg.Behind
	return rules
}

// zone is where this node is, as its labels say.
func (s *Sync) zone(v client.View) string {
	node, ok := client.Get[*v1.Node](v, nodesTable, "", s.cfg.Node)
	if !ok {
		return ""
	}
	return node.Labels[v1.LabelTopologyZone]
}

// moves tells when this node comes into another zone.
func (s *Sync) moves(e client.Event) bool {
	if e.Object.GetName() != s.cfg.Node {
		return false
	}
	return e.Old == nil || e.Type != client.Updated || e.Old.GetLabels()[v1.LabelTopologyZone] != e.Object.GetLabels()[v1.LabelTopologyZone]
}

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
