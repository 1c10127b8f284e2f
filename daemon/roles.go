package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"proa/apiserver/admit"
	"proa/client"
	"proa/controllers/deployment"
	"proa/controllers/endpoints"
	"proa/controllers/endpointslice"
	"proa/controllers/namespace"
	"proa/controllers/replicaset"
	"proa/controllers/rootca"
	"proa/controllers/serviceaccount"
	"proa/reconcile"
	"proa/scheduler/loop"
)

// Server runs the control plane alone until ctx ends. ready is called when the API is.
func Server(ctx context.Context, cfg *Config, ready func()) error {
	return run(ctx, cfg, ready, nil)
}

// Up runs the control plane and a node in this process until ctx ends. ready is called when the node is Ready. Containers
// go on when it ends; Down stops them too.
func Up(ctx context.Context, cfg *Config, ready func()) error {
	return run(ctx, cfg, ready, startNode)
}

// starter starts further parts beside a control plane and returns when they are ready.
type starter func(context.Context, *control, *group) error

// run starts the parts in order, waits, and stops them in reverse.
func run(ctx context.Context, cfg *Config, ready func(), more starter) (err error) {
	if err := os.MkdirAll(cfg.DataDir, 0o755); err != nil {
		return fmt.Errorf("make data directory: %w", err)
	}
	lock, err := Acquire(cfg.RunDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	parts := newGroup(cfg.Log)
	c, err := startControl(ctx, cfg, parts)
	if err != nil {
		return errors.Join(err, parts.stop())
	}
	defer func() { err = errors.Join(err, parts.stop(), c.close()) }()
	if more != nil {
		if err := more(ctx, c, parts); err != nil {
			return err
		}
	}
	ready()
	return parts.wait(ctx)
}

// startControl starts the control plane and returns when the API is ready.
func startControl(ctx context.Context, cfg *Config, parts *group) (*control, error) {
	begin := time.Now()
	c, err := openControl(cfg)
	if err != nil {
		return nil, err
	}
	if err := c.keys.WriteKubeconfig(cfg.Kubeconfig, cfg.apiURL(), c.keys.Admin()); err != nil {
		return nil, errors.Join(err, c.close())
	}
	host, err := reconcile.New(reconcile.Config{
		Client: func(identity string) client.Client { return c.as(identity, groupsOf(identity)...) },
		Kinds:  c.kinds, Log: cfg.Log,
	}, c.controllers()...)
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	parts.add("keys", c.keys.Run)
	parts.add("api", c.serve)
	if err := c.bootstrap(ctx); err != nil {
		return nil, errors.Join(err, parts.stop(), c.close())
	}
	cfg.Progress("API ready", time.Since(begin))
	parts.add("controllers", host.Run)
	scheduler := loop.New(loop.Config{Client: c.as(loop.Identity), Kinds: c.kinds, Log: cfg.Log})
	parts.add("scheduler", scheduler.Run)
	return c, nil
}

// controllers lists the controllers of a cluster.
func (c *control) controllers() []reconcile.Controller {
	return []reconcile.Controller{
		namespace.New(c.kinds),
		serviceaccount.New(),
		rootca.New(c.keys.CA()),
		deployment.New(),
		replicaset.New(),
		endpointslice.New(),
		endpoints.New(),
	}
}

// admission lists the steps that every write passes.
func (c *control) admission() ([]admit.Step, error) {
	return admit.Steps(admit.Config{
		ServiceCIDRs: []netip.Prefix{c.cfg.Services}, Restrict: c.access.Restrict, CheckEscalation: c.access.CheckEscalation,
	})
}
