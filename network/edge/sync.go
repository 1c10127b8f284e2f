package edge

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"proa/client"
	"proa/internal/atomicfile"
	"proa/network/follow"
)

// SyncConfig is what a Sync needs. All but Log and After are required.
type SyncConfig struct {
	Client  client.Client
	File    string       // where the routes are written; it holds keys
	Changed func() error // tells the door that the file is new
	Log     *slog.Logger
	After   func(time.Duration) <-chan time.Time // nil means time.After
}

// Sync keeps the routes in step with the API.
type Sync struct {
	cfg   SyncConfig
	last  []byte
	ready chan struct{}
	once  sync.Once
}

// NewSync starts nothing.
func NewSync(cfg SyncConfig) *Sync { return &Sync{cfg: cfg, ready: make(chan struct{})} }

// Ready is closed once the file is there.
func (s *Sync) Ready() <-chan struct{} { return s.ready }

// Run works until ctx ends.
func (s *Sync) Run(ctx context.Context) error {
	follow.New(follow.Config{
		Client: s.cfg.Client, Log: s.cfg.Log, After: s.cfg.After, Do: s.write,
		Tables: map[string]func(client.Event) bool{
			"ingresses.networking.k8s.io": follow.Always, "ingressclasses.networking.k8s.io": follow.Always, "services": follow.Always,
			"endpointslices.discovery.k8s.io": follow.Always, "secrets": isTLS,
		},
	}).Run(ctx)
	return nil
}

func isTLS(e client.Event) bool {
	s, ok := e.Object.(*v1.Secret)
	return !ok || s.Type == v1.SecretTypeTLS
}

func (s *Sync) write() error {
	data, err := json.Marshal(Plan(inputOf(s.cfg.Client.View())))
	if err != nil {
		return err
	}
	if bytes.Equal(data, s.last) {
		return nil
	}
	if err := atomicfile.Write(s.cfg.File, data, 0o600); err != nil {
		return fmt.Errorf("routes of the front door: %w", err)
	}
	if err := s.cfg.Changed(); err != nil {
		return fmt.Errorf("routes of the front door: %w", err)
	}
	s.last = data
	s.once.Do(func() { close(s.ready) })
	return nil
}

func inputOf(v client.View) Input {
	return Input{
		Ingresses: client.List[*networkingv1.Ingress](v, "ingresses.networking.k8s.io", ""),
		Class: func(name string) *networkingv1.IngressClass {
			c, _ := client.Get[*networkingv1.IngressClass](v, "ingressclasses.networking.k8s.io", "", name)
			return c
		},
		Service: func(namespace, name string) *v1.Service {
			s, _ := client.Get[*v1.Service](v, "services", namespace, name)
			return s
		},
		Secret: func(namespace, name string) *v1.Secret {
			s, _ := client.Get[*v1.Secret](v, "secrets", namespace, name)
			return s
		},
		Slices: func(namespace string) iter.Seq[*discoveryv1.EndpointSlice] {
			return client.List[*discoveryv1.EndpointSlice](v, "endpointslices.discovery.k8s.io", namespace)
		},
	}
}
