package daemon

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	v1 "k8s.io/api/core/v1"

	"proa/apiserver/discovery"
	"proa/client"
	"proa/node"
	"proa/node/cri"
	"proa/node/runtime"
)

// containers is the node's container runtime: the bundled containerd, or one that was there already.
type containers struct {
	cfg      *Config
	bundled  *runtime.Runtime // nil when the runtime is another's
	endpoint string
	started  chan error // the outcome of start
}

// bundledRuntime describes the bundled containerd of a node.
func bundledRuntime(cfg *Config) (*runtime.Runtime, error) {
	return runtime.New(runtime.Config{
		BundleDir: cfg.BundleDir, DataDir: runtimeRoot(cfg), StateDir: filepath.Join(cfg.RunDir, "containerd"),
		CNIBinDir: cfg.BundleDir, CNIConfDir: cniConfDir(cfg), SandboxImage: cfg.SandboxImage,
		LogFile: filepath.Join(cfg.DataDir, "log", "containerd.log"), Log: cfg.Log, Ready: answers,
	})
}

// runtimeRoot is where the bundled containerd keeps images, layers and what it knows of them.
func runtimeRoot(cfg *Config) string { return filepath.Join(cfg.DataDir, "containerd") }

// answers says whether a container runtime serves.
func answers(ctx context.Context, socket string) error {
	c, err := cri.New("unix://" + socket)
	if err != nil {
		return err
	}
	return errors.Join(c.WaitReady(ctx), c.Close())
}

// startContainers begins to start the runtime and does not wait: the control plane starts meanwhile.
func startContainers(ctx context.Context, cfg *Config) (*containers, error) {
	c := &containers{cfg: cfg, endpoint: cfg.CRIEndpoint, started: make(chan error, 1)}
	if c.endpoint != "" {
		c.started <- nil
		return c, nil
	}
	var err error
	if c.bundled, err = bundledRuntime(cfg); err != nil {
		return nil, err
	}
	c.endpoint = "unix://" + c.bundled.Socket()
	go func() {
		begin := time.Now()
		err := c.bundled.Start(ctx)
		if err == nil {
			err = c.sandboxImage(ctx)
		}
		cfg.Progress("container runtime ready", time.Since(begin))
		c.started <- err
	}()
	return c, nil
}

// sandboxImage makes the image that every pod's sandbox is of.
func (c *containers) sandboxImage(ctx context.Context) error {
	images, err := imagesOf(c.cfg, c.bundled.Socket())
	if err != nil {
		return err
	}
	return errors.Join(images.store.EnsurePause(ctx), images.close())
}

// startNode starts the node's parts beside whatever api talks to, and returns when the node is Ready.
func startNode(ctx context.Context, cfg *Config, plane *dataPlane, runtime *containers, api client.Client, serve nodeServer, parts *group) error {
	if err := plane.start(ctx, api, parts); err != nil {
		return err
	}
	if err := <-runtime.started; err != nil {
		return err
	}
	if runtime.bundled != nil {
		parts.add("container runtime", runtime.bundled.Run)
	}
	agent, err := node.New(node.Config{
		Name: cfg.NodeName, Client: api, RuntimeEndpoint: runtime.endpoint, DataDir: cfg.DataDir, LogDir: logRoot(cfg),
		CgroupRoot: cgroupRoot(cfg), IPs: []string{cfg.nodeIP().String()}, Port: int32(cfg.NodePort),
		Version: discovery.VersionInfo("", "").GitVersion, ClusterDNS: []string{cfg.dnsServiceIP().String()}, ClusterDomain: cfg.Domain,
		ResolvConf: "/etc/resolv.conf", Labels: cfg.Labels, Eviction: cfg.Eviction, Images: cfg.Images, ManifestDir: cfg.ManifestDir, Shutdown: cfg.Shutdown,
		Borrow: runtime.borrow, Log: cfg.Log,
	})
	if err != nil {
		return err
	}
	parts.add("node", agent.Run)
	if err := serve(agent, parts); err != nil {
		return err
	}
	return waitNode(ctx, cfg.NodeName, api, parts)
}

// nodeServer starts the node's own HTTPS API.
type nodeServer func(*node.Agent, *group) error

// waitNode returns when the node says that it is ready, or when a part ends first.
func waitNode(ctx context.Context, name string, api client.Client, parts *group) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		if err := parts.wait(ctx); err != nil {
			cancel(err)
		}
	}()
	for {
		view := api.View()
		if n, ok := client.Get[*v1.Node](view, "nodes", "", name); ok && isReady(n) {
			return nil
		}
		w, err := api.Watch("nodes", view)
		if err == nil {
			_, err = w.Next(ctx)
		}
		if err != nil {
			return errors.Join(fmt.Errorf("wait for the node: %w", err), context.Cause(ctx))
		}
	}
}

func isReady(n *v1.Node) bool {
	for _, c := range n.Status.Conditions {
		if c.Type == v1.NodeReady {
			return c.Status == v1.ConditionTrue
		}
	}
	return false
}
