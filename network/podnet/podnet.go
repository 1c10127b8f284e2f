// Package podnet connects pods to the network: it gives each sandbox an address of the node's range, a veth pair, and
// routes.
//
// Pods are routed, not bridged: the host has a route to each pod's address through that pod's veth, and the pod's
// default route leads through the veth to a link-local gateway that every host end answers for. So all traffic of a pod
// passes the host's IP layer, where Services are resolved, without br_netfilter and without address resolution (both ends
// know each other as permanent neighbours).
//
// The container runtime calls the CNI plugin (folder plugin), a program that only hands the call to the Network in the
// agent over a unix socket. When the agent is down no sandbox can be made or removed; those that run are not touched.
// What is allocated is kept in files, one per sandbox, so a restarted agent knows it.
package podnet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// Config is what a Network needs. All but Log, Host and MTU are required.
type Config struct {
	Range    netip.Prefix   // the node's share of the pod addresses, such as 10.244.0.0/24
	NodeIP   netip.Addr     // source of what the host itself sends to pods
	StateDir string         // one file per sandbox; on a file system that a reboot empties
	Socket   string         // where the plugin reaches the agent
	Host     netns.NsHandle // the node's network namespace; the zero value means that of the process
	MTU      int            // of the pods' links, in bytes; 0 means 1500
	Log      *slog.Logger
}

// Network is the pod network of one node.
type Network struct {
	cfg  Config
	host *netlink.Handle
	mu   struct {
		sync.Mutex
		pool *pool
	}
}

// New reads what was allocated before, opens netlink in the node's namespace and lets the node forward packets.
func New(cfg Config) (*Network, error) {
	if cfg.MTU == 0 {
		cfg.MTU = 1500
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Host <= 0 {
		current, err := netns.Get()
		if err != nil {
			return nil, fmt.Errorf("open network namespace: %w", err)
		}
		cfg.Host = current
	}
	host, err := netlink.NewHandleAt(cfg.Host)
	if err != nil {
		return nil, fmt.Errorf("open netlink: %w", err)
	}
	n := &Network{cfg: cfg, host: host}
	n.mu.pool, err = openPool(filepath.Join(cfg.StateDir, "addresses"), cfg.Range)
	if err != nil {
		return nil, err
	}
	if err := n.forward(); err != nil {
		return nil, err
	}
	return n, nil
}

// Run serves the plugin until ctx ends.
func (n *Network) Run(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Dir(n.cfg.Socket), 0o700); err != nil {
		return fmt.Errorf("make folder of socket: %w", err)
	}
	if err := os.Remove(n.cfg.Socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove stale socket: %w", err)
	}
	listener, err := net.Listen("unix", n.cfg.Socket)
	if err != nil {
		return fmt.Errorf("listen for the CNI plugin: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { listener.Close() })
	defer stop()
	var calls sync.WaitGroup
	defer calls.Wait()
	for {
		conn, err := listener.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("accept from the CNI plugin: %w", err)
		}
		calls.Go(func() { n.serve(ctx, conn) })
	}
}

// serve answers one call of the plugin. A caller that says nothing does not hold up the end of Run.
func (n *Network) serve(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Now()) })
	defer stop()
	var call Call
	if err := json.NewDecoder(conn).Decode(&call); err != nil {
		n.cfg.Log.Warn("CNI call could not be read", "err", err)
		return
	}
	answer := n.answer(call)
	if answer.Code != 0 {
		n.cfg.Log.Warn("CNI call failed", "command", call.Command, "sandbox", call.ContainerID, "answer", answer.Output)
	}
	if err := json.NewEncoder(conn).Encode(answer); err != nil {
		n.cfg.Log.Warn("CNI answer could not be sent", "err", err)
	}
}

// Attach connects the sandbox's network namespace and returns the pod's address. A sandbox that is attached already
// keeps its address.
func (n *Network) Attach(containerID, nsPath, ifName string) (Attachment, error) {
	ns, err := netns.GetFromPath(nsPath)
	if err != nil {
		return Attachment{}, fmt.Errorf("open network namespace %s: %w", nsPath, err)
	}
	defer ns.Close()
	addr, err := n.take(containerID)
	if err != nil {
		return Attachment{}, err
	}
	a, err := n.wire(containerID, ns, ifName, addr)
	if err != nil {
		return Attachment{}, errors.Join(err, n.Detach(containerID))
	}
	return a, nil
}

// Detach removes the sandbox's link and frees its address. It succeeds when there is nothing to remove.
func (n *Network) Detach(containerID string) error {
	if err := n.unwire(containerID); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.pool.release(containerID)
}

func (n *Network) take(containerID string) (netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.pool.take(containerID)
}
