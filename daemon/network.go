package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	v1 "k8s.io/api/core/v1"

	"proa/client"
	"proa/network"
	"proa/network/dns"
	"proa/network/healthcheck"
	"proa/network/nft"
	"proa/network/podnet"
	"proa/network/routes"
)

// dataPlane is the node's half of the network: links and addresses, packet rules, names.
type dataPlane struct {
	cfg    *Config
	pods   *podnet.Network
	routes *routes.Kernel
	nft    *nft.Kernel
}

// newDataPlane changes nothing yet but that the node forwards packets.
func newDataPlane(cfg *Config) (*dataPlane, error) {
	pods, err := podnet.New(podnet.Config{
		Range: cfg.NodePods, NodeIP: cfg.nodeIP(), StateDir: filepath.Join(cfg.RunDir, "podnet"),
		Socket: cniSocket(cfg), Log: cfg.Log,
	})
	if err != nil {
		return nil, err
	}
	kernel, err := nft.New(nft.Config{PodPrefix: podnet.LinkPrefix})
	if err != nil {
		return nil, err
	}
	ways, err := routes.NewKernel(cfg.nodeIP(), cfg.NodePods, 0)
	if err != nil {
		return nil, err
	}
	return &dataPlane{cfg, pods, ways, kernel}, nil
}

// link makes the link that the node's own addresses are on. It comes first: the API is reached by one of them.
func (d *dataPlane) link() error {
	cfg := d.cfg
	link := podnet.NodeLink{Name: nodeLink, Services: cfg.Services, Source: cfg.nodeIP(), Extra: []netip.Addr{cfg.dnsServiceIP()}}
	if !cfg.NodeIP.IsValid() {
		link.Address = ownNodeIP
	}
	return d.pods.EnsureNodeLink(link)
}

func cniSocket(cfg *Config) string  { return filepath.Join(cfg.RunDir, "cni.sock") }
func cniConfDir(cfg *Config) string { return filepath.Join(cfg.RunDir, "cni") }

// start begins to serve pods, packets and names, and returns when the first packet rules are in force.
func (d *dataPlane) start(ctx context.Context, api client.Client, parts *group) error {
	conflist, err := podnet.Conflist(cniSocket(d.cfg))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(cniConfDir(d.cfg), 0o755); err != nil {
		return fmt.Errorf("make CNI folder: %w", err)
	}
	if err := os.WriteFile(filepath.Join(cniConfDir(d.cfg), "10-proa.conflist"), conflist, 0o644); err != nil {
		return fmt.Errorf("write CNI configuration: %w", err)
	}
	names, err := d.dns(api)
	if err != nil {
		return err
	}
	var behind netip.Prefix
	if d.cfg.Nodes > 1 {
		behind = ownNodeIP.Masked()
	}
	checks := healthcheck.New(d.cfg.Log, nil)
	sync := network.New(network.Config{
		Behind: behind, Client: api, Rules: d.nft, Health: checks, Node: d.cfg.NodeName, Pods: d.cfg.Pods, Services: d.cfg.Services, Skip: isDNS, Log: d.cfg.Log,
	})
	parts.add("pod network", d.pods.Run)
	parts.add("health of Services", checks.Run)
	parts.add("packet rules", sync.Run)
	parts.add("routes to other nodes", routes.New(routes.Config{
		Client: api, Kernel: d.routes, Node: d.cfg.NodeName, Pods: d.cfg.Pods, Log: d.cfg.Log,
	}).Run)
	parts.add("dns", names.Run)
	select {
	case <-sync.Ready():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func isDNS(s *v1.Service) bool {
	return s.Namespace == dnsService.Namespace && s.Name == dnsService.Name
}

func (d *dataPlane) dns(api client.Client) (*dns.Server, error) {
	upstream := d.cfg.Nameservers
	if upstream == nil {
		var err error
		if upstream, err = dns.Resolvers("/etc/resolv.conf", d.cfg.dnsServiceIP()); err != nil {
			d.cfg.Log.Warn("names outside the cluster will not resolve", "err", err)
		}
	}
	listen := []string{netip.AddrPortFrom(d.cfg.dnsServiceIP(), 53).String()}
	if d.cfg.Nodes > 1 { // they know of no resolver but the first node
		listen = append(listen, netip.AddrPortFrom(ownNodeIP.Addr(), 53).String())
	}
	return dns.New(dns.Config{
		View: api.View, Zone: d.cfg.Domain, Upstream: upstream, Log: d.cfg.Log,
		Listen: listen,
	})
}

// remove takes all links and rules away.
func (d *dataPlane) remove() error {
	return errors.Join(d.nft.Remove(), d.routes.Remove(), d.pods.RemoveLinks(nodeLink))
}
