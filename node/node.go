// Package node assembles the node agent: what runs the pods that are bound to one node, and tells the API how the node is.
//
// It decides nothing; it makes the parts, hands each what it needs and runs them together. The daemon calls it. When the API
// is gone, pods keep running; when the container runtime is gone, the node says so and carries on when it is back. When the
// agent ends, containers stay and the next agent adopts them.
package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"

	v1 "k8s.io/api/core/v1"

	"proa/client"
	"proa/node/cgroup"
	"proa/node/cri"
	"proa/node/evict"
	"proa/node/imagegc"
	"proa/node/pod"
	"proa/node/probe"
	"proa/node/run"
	"proa/node/shutdown"
	"proa/node/static"
	"proa/node/status"
	"proa/node/usage"
	"proa/node/volume"
)

// Config says what the node is. All fields are required unless said otherwise.
type Config struct {
	Name            string
	Client          client.Client // acts as system:node:NAME
	RuntimeEndpoint string        // unix:///run/containerd/containerd.sock
	DataDir         string        // folders of pods are below it
	LogDir          string        // optional: /var/log/pods
	CgroupRoot      string        // optional: /kubepods; every node of a machine has its own
	IPs             []string      // the node's addresses, the first is the main one
	Port            int32         // of the node's HTTPS API, as status shows it
	Version         string        // v1.36.3
	ClusterDNS      []string
	ClusterDomain   string
	ResolvConf      string            // optional: the host's resolver configuration
	Labels          map[string]string // optional
	Taints          []v1.Taint        // optional: at registration
	Reserved        v1.ResourceList   // optional: kept from pods
	MaxPods         int64             // optional: 110
	Eviction        evict.Settings    // optional: upstream's
	Images          imagegc.Policy    // when unused ones are removed; the zero value never removes any
	ManifestDir     string            // optional: holds the node's own pods
	Shutdown        shutdown.Settings // optional: how pods end when the machine shuts down
	// Borrow takes an image from another node of this machine; see run.Config. Optional.
	Borrow func(ctx context.Context, image string) (bool, error)
	Log    *slog.Logger
}

// Agent is one node's agent.
type Agent struct {
	config  Config
	runtime *cri.Client
	cgroups *cgroup.Groups
	events  *run.Events
	volumes *volume.Volumes
	probes  *probe.Probes
	runner  *run.Runner
	status  *status.Reporter
	evict   *evict.Manager
	images  *imagegc.Collector
	static  *static.Source    // nil: no folder of manifests
	halt    *shutdown.Manager // nil: pods end as the machine has them end
}

// New makes an agent; Run starts it.
func New(config Config) (*Agent, error) {
	if err := config.complete(); err != nil {
		return nil, err
	}
	a := &Agent{config: config, cgroups: cgroup.New(config.CgroupRoot), events: run.NewEvents(config.Client, config.Name, config.Log)}
	var err error
	if a.runtime, err = cri.New(config.RuntimeEndpoint); err != nil {
		return nil, err
	}
	policy, err := config.Eviction.Policy()
	if err != nil {
		return nil, err
	}
	machine := status.ReadMachine(config.DataDir)
	headroom := policy.Headroom(status.Capacity(machine))
	settings := config.settings(machine, headroom, a.cgroups)
	a.volumes, err = volume.New(volume.Config{
		Root: settings.PodRoot, Locals: filepath.Join(config.DataDir, "volumes"), Node: config.Name, Client: config.Client, Allocatable: settings.Allocatable, Log: config.Log,
		Image: func(ctx context.Context, p *v1.Pod, image string, policy v1.PullPolicy) (string, error) {
			return a.runner.EnsureImage(ctx, p, "", image, policy)
		},
	})
	if err != nil {
		return nil, err
	}
	if a.probes, err = probe.New(probe.Config{Exec: a.runtime.ExecSync, Event: a.events.Event, Log: config.Log}); err != nil {
		return nil, err
	}
	a.runner = run.New(run.Config{
		NodeName: config.Name, Client: config.Client, Runtime: a.runtime, Settings: settings, Cgroups: a.cgroups,
		Volumes: a.volumes, Probes: a.probes, Events: a.events, Borrow: config.Borrow, Log: config.Log,
		Admit: a.admit,
	})
	if err := a.watchOver(policy, settings); err != nil {
		return nil, err
	}
	if config.ManifestDir != "" {
		a.static = static.New(static.Config{Dir: config.ManifestDir, NodeName: config.Name, Client: config.Client, Runner: a.runner, Log: config.Log})
	}
	a.status = status.New(status.Config{
		NodeName: config.Name, Client: config.Client, Runtime: a.runtime, IPs: config.IPs, Port: config.Port, Version: config.Version,
		RootDir: config.DataDir, Labels: config.Labels, Taints: config.Taints, Reserved: config.Reserved, MaxPods: config.MaxPods, Log: config.Log,
		Headroom: headroom, Pressure: a.evict.Conditions, NotReady: a.notReady,
	})
	return a, nil
}

// admit says whether the node as a whole keeps a pod from starting.
func (a *Agent) admit(p *v1.Pod) *pod.Refused {
	if a.halt != nil {
		if refused := a.halt.Admit(p); refused != nil {
			return refused
		}
	}
	return a.evict.Admit(p)
}

func (a *Agent) notReady() string {
	if a.halt == nil {
		return ""
	}
	return a.halt.NotReady()
}

// watchOver makes the parts that end pods for the node's sake.
func (a *Agent) watchOver(policy evict.Policy, settings *cri.Settings) error {
	periods, err := a.config.Shutdown.Periods()
	if err != nil {
		return err
	}
	if len(periods) > 0 {
		a.halt = shutdown.New(shutdown.Config{Periods: periods, Bus: shutdown.Logind, Pods: a.runner, Changed: a.Poke, Log: a.config.Log})
	}
	meter := usage.New(usage.Config{DataDir: a.config.DataDir, PodDir: settings.PodDir, LogDir: settings.LogDir, Runtime: a.runtime})
	a.images = imagegc.New(imagegc.Config{
		Policy: a.config.Images, Runtime: a.runtime, Named: a.runner.ImagesNamed, Event: a.events.NodeEvent, Log: a.config.Log,
		Disk: func(ctx context.Context) (available, capacity int64, err error) {
			level, err := meter.Disk(ctx)
			return level.Available, level.Capacity, err
		},
	})
	a.evict = evict.NewManager(evict.Config{
		NodeName: a.config.Name, Policy: policy, Meter: meter, Pods: a.runner, Events: a.events, Changed: a.Poke, Log: a.config.Log,
		Reclaim: func(ctx context.Context) error {
			a.runner.Reclaim(ctx)
			return a.images.RemoveUnused(ctx)
		},
	})
	return nil
}

// complete fills in the defaults and says what is missing.
func (c *Config) complete() error {
	required := map[string]bool{
		"Name": c.Name == "", "Client": c.Client == nil, "RuntimeEndpoint": c.RuntimeEndpoint == "", "DataDir": c.DataDir == "",
		"IPs": len(c.IPs) == 0, "Version": c.Version == "", "Log": c.Log == nil,
	}
	for name, missing := range required {
		if missing {
			return fmt.Errorf("configure node: %s is required", name)
		}
	}
	if c.LogDir == "" {
		c.LogDir = "/var/log/pods"
	}
	if c.CgroupRoot == "" {
		c.CgroupRoot = "/kubepods"
	}
	return nil
}

func (c *Config) settings(machine status.Machine, headroom v1.ResourceList, cgroups *cgroup.Groups) *cri.Settings {
	return &cri.Settings{
		NodeName: c.Name, HostIPs: c.IPs, LogRoot: c.LogDir, PodRoot: filepath.Join(c.DataDir, "pods"), SeccompRoot: filepath.Join(c.DataDir, "seccomp"),
		ClusterDNS: c.ClusterDNS, ClusterDomain: c.ClusterDomain, ResolvConf: c.ResolvConf, MemoryCapacity: machine.Memory,
		Allocatable: status.Allocatable(status.Capacity(machine), c.Reserved, headroom), CgroupParent: cgroups.Path,
	}
}

// Runtime is the connection to the container runtime, for the node's HTTPS API.
func (a *Agent) Runtime() *cri.Client { return a.runtime }

// Pods finds and lists the pods of the node, for the node's HTTPS API.
func (a *Agent) Pods() *run.Runner { return a.runner }

// Poke has the node's status looked at now, as when images were imported.
func (a *Agent) Poke() { a.status.Poke() }

// Run works until ctx ends, or a part fails for good, and leaves the containers running.
func (a *Agent) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := a.cgroups.Prepare(); err != nil {
		return err
	}
	type part struct {
		name string
		run  func(context.Context) error
	}
	parts := []part{
		{"events", a.events.Run},
		{"status", a.status.Run},
		{"volumes", a.volumes.Run},
		{"probes", a.probes.Run},
		{"pods", a.runner.Run},
		{"eviction", a.evict.Run},
		{"images", a.images.Run},
	}
	if a.static != nil {
		a.static.Load() // so that what runs is known to be wanted
		parts = append(parts, part{"static pods", a.static.Run})
	}
	if a.halt != nil {
		parts = append(parts, part{"shutdown", a.halt.Run})
	}
	errs := make([]error, len(parts))
	var wg sync.WaitGroup
	for i, part := range parts {
		wg.Go(func() {
			if err := part.run(ctx); err != nil && ctx.Err() == nil {
				errs[i] = fmt.Errorf("run %s: %w", part.name, err)
			}
			cancel()
		})
	}
	wg.Wait()
	return errors.Join(append(errs, a.runtime.Close())...)
}
