package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"proa/apiserver/admit"
	"proa/apiserver/admit/policy"
	"proa/apiserver/admit/webhook"
	"proa/apiserver/callout"
	"proa/apiserver/chain"
	"proa/apiserver/encode"
	"proa/client"
	"proa/controllers"
	"proa/controllers/loadbalancer"
	"proa/network/routes"
	"proa/reconcile"
	"proa/scheduler/loop"
)

// Server runs the control plane alone until ctx ends. ready is called when the API is.
func Server(ctx context.Context, cfg *Config, ready func()) error {
	return run(ctx, cfg, func(ctx context.Context, parts *group) (func() error, error) {
		plane, err := newDataPlane(cfg)
		if err != nil {
			return nil, err
		}
		if err := plane.link(); err != nil {
			return nil, err
		}
		c, err := startControl(ctx, cfg, parts)
		if err != nil {
			return nil, err
		}
		ready()
		return c.close, nil
	})
}

// Up runs the control plane and a node in this process until ctx ends. ready is called when the node is Ready. Containers
// go on when it ends; Down stops them too.
func Up(ctx context.Context, cfg *Config, ready func()) error {
	return run(ctx, cfg, func(ctx context.Context, parts *group) (func() error, error) {
		if err := countNodes(cfg); err != nil {
			return nil, err
		}
		runtime, err := startContainers(ctx, cfg)
		if err != nil {
			return nil, err
		}
		plane, err := newDataPlane(cfg)
		if err != nil {
			return nil, err
		}
		if err := plane.link(); err != nil {
			return nil, err
		}
		c, err := startControl(ctx, cfg, parts)
		if err != nil {
			return nil, err
		}
		api := c.as("system:node:"+cfg.NodeName, "system:nodes")
		if err := startNode(ctx, cfg, plane, runtime, api, c.serveNode, parts); err != nil {
			return c.close, err
		}
		if err := startLocalNodes(ctx, cfg, api, c.keys.CA(), parts); err != nil {
			return c.close, err
		}
		ready()
		return c.close, nil
	})
}

// run holds the lock while the parts that start adds run, and stops them in reverse. close, if not nil, comes last.
func run(ctx context.Context, cfg *Config, start func(context.Context, *group) (close func() error, err error)) (err error) {
	if os.Getenv("GOGC") == "" {
		defer tuneCollector()()
	}
	if err := os.MkdirAll(cfg.DataDir, 0o755); err != nil {
		return fmt.Errorf("make data directory: %w", err)
	}
	lock, err := Acquire(cfg.RunDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	parts := newGroup(cfg.Log)
	close, err := start(ctx, parts)
	if err == nil {
		err = parts.wait(ctx)
	}
	err = errors.Join(err, parts.stop())
	if close != nil {
		err = errors.Join(err, close())
	}
	return err
}

// startControl starts the control plane and returns when the API is ready.
func startControl(ctx context.Context, cfg *Config, parts *group) (*control, error) {
	begin := time.Now()
	c, err := openServing(cfg)
	if err != nil {
		return nil, err
	}
	host, err := reconcile.New(reconcile.Config{
		Client: func(identity string) client.Client { return c.as(identity, groupsOf(identity)...) },
		Kinds:  c.kinds, Log: cfg.Log,
	}, controllers.All(controllers.Config{
		Kinds: c.kinds, RootCA: c.keys.CA(), Trust: c.trust(), Sign: c.keys.Sign, Token: c.tokens.LegacyToken,
		Usage: c.usage, Check: c.aggregator.Check, CheckPolicy: c.policies.Check, Elsewhere: c.emptyElsewhere, OwnerElsewhere: c.ownerElsewhere,
		Taken: cfg.takenPorts(), Edge: cfg.nodeIP().String(), NodeGrace: cfg.NodeGrace, DownWindow: cfg.DownWindow,
	})...)
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	c.host = host
	if err := c.start(ctx, parts); err != nil {
		return nil, errors.Join(err, parts.stop(), c.close())
	}
	cfg.Progress("API ready", time.Since(begin))
	if err := c.startEdge(parts); err != nil {
		return nil, errors.Join(err, parts.stop(), c.close())
	}
	parts.add("usage", c.usage.Run)
	parts.add("controllers", host.Run)
	scheduler := loop.New(loop.Config{Client: c.as(loop.Identity), Kinds: c.kinds, Log: cfg.Log})
	parts.add("scheduler", scheduler.Run)
	return c, nil
}

// takenPorts are the ports of nodes' addresses that no Service may have.
func (c *Config) takenPorts() map[loadbalancer.Port]string {
	taken := map[loadbalancer.Port]string{
		{Protocol: v1.ProtocolTCP, Number: int32(c.APIPort)}:  "the cluster's API",
		{Protocol: v1.ProtocolTCP, Number: int32(c.NodePort)}: "the nodes' API",
		{Protocol: v1.ProtocolUDP, Number: routes.TunnelPort}: "the pods' tunnels",
	}
	if c.Nodes > 1 { // they ask the first node's address
		for _, protocol := range []v1.Protocol{v1.ProtocolTCP, v1.ProtocolUDP} {
			taken[loadbalancer.Port{Protocol: protocol, Number: 53}] = "the cluster's names"
		}
	}
	return taken
}

// admission lists the steps that every write passes.
func (c *control) admission(scheme *runtime.Scheme) ([]admit.Step, error) {
	caller, err := callout.New(callout.Config{Source: c.store})
	if err != nil {
		return nil, err
	}
	hooks, err := webhook.New(webhook.Config{Caller: caller, Authorizer: c.access, Log: c.cfg.Log, Waited: chain.Waited})
	if err != nil {
		return nil, err
	}
	c.hooks = hooks
	policies, err := policy.New(policy.Config{Authorizer: c.access, Kinds: c.kinds, Scheme: scheme})
	if err != nil {
		return nil, err
	}
	return admit.Steps(admit.Config{
		MutateByPolicies: policies.Mutate, ValidateByPolicies: policies.Validate, CheckParameters: policies.CheckParameters,
		Authorizer: c.access, Kind: c.kinds.ByKind, Enabled: c.cfg.EnabledAdmission, Disabled: c.cfg.DisabledAdmission,
		MutateByWebhooks: hooks.Mutate, ValidateByWebhooks: hooks.Validate,
		ServiceCIDRs: []netip.Prefix{c.cfg.Services}, Encode: encode.ToStore, Restrict: c.access.Restrict, CheckEscalation: c.access.CheckEscalation,
	})
}
