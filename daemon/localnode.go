package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"proa/client"
	"proa/network/locals"
	"proa/node/cgroup"
	"proa/node/runtime"
	"proa/ops/join"
)

// localNode is a further node on the cluster's machine: an agent of its own process, in a network namespace of its own, with
// a containerd of its own. To the cluster it is like any other machine that joined.
type localNode struct {
	of     *Config // of the cluster's process, which runs the first node
	number int     // from 2
}

// mostNodes bounds --nodes: the network of the nodes' own addresses has room for more, a machine hardly.
const mostNodes = 100

// agentRestart is the pause before an agent that ended is started again.
const agentRestart = time.Second

// agentTries is how often an agent may end before nobody waits for its node any longer.
const agentTries = 3

// agentEnds is why nobody waits for a node: its agent ends again and again, the last time with err.
type agentEnds struct {
	err error
	log string
}

func (e *agentEnds) Error() string {
	return fmt.Sprintf("its agent ends again and again: %v; its log is %s", e.err, e.log)
}

func (n localNode) name() string    { return fmt.Sprintf("%s-%d", n.of.NodeName, n.number) }
func (n localNode) dataDir() string { return filepath.Join(n.of.nodesDir(), strconv.Itoa(n.number)) }
func (n localNode) log() string     { return filepath.Join(n.dataDir(), "log", "proa.log") }

func (c *Config) nodesDir() string { return filepath.Join(c.DataDir, "nodes") }

func (n localNode) address() netip.Prefix {
	return netip.PrefixFrom(nthAddress(ownNodeIP, n.number), ownNodeIP.Bits())
}

func (n localNode) space() locals.Space {
	return locals.Space{
		Name: filepath.Base(n.of.RunDir) + "-node" + strconv.Itoa(n.number), Cable: "proa-node" + strconv.Itoa(n.number),
		Bridge: nodeLink, Address: n.address(), Gateway: ownNodeIP.Addr(),
	}
}

// config is as much of the agent's configuration as it takes to remove what it leaves.
func (n localNode) config() (*Config, error) {
	cfg := &Config{DataDir: n.dataDir(), BundleDir: n.of.BundleDir, NodeName: n.name(), Log: n.of.Log}
	return cfg, cfg.Default()
}

// countNodes fills in how many nodes there are, if the configuration leaves that to what there was.
func countNodes(cfg *Config) error {
	there, err := existingNodes(cfg)
	if cfg.Nodes > 0 || err != nil {
		return err
	}
	cfg.Nodes = 1
	for _, n := range there {
		cfg.Nodes = max(cfg.Nodes, n.number)
	}
	return cfg.check()
}

// existingNodes are those with a data directory.
func existingNodes(cfg *Config) ([]localNode, error) {
	entries, err := os.ReadDir(cfg.nodesDir())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("find nodes: %w", err)
	}
	var nodes []localNode
	for _, e := range entries {
		if number, err := strconv.Atoi(e.Name()); err == nil {
			nodes = append(nodes, localNode{cfg, number})
		}
	}
	return nodes, nil
}

// startLocalNodes starts the further nodes, and returns when the API says that all are Ready but those that do not start: the
// user is told of them, and they are tried on.
func startLocalNodes(ctx context.Context, cfg *Config, api client.Client, authority []byte, parts *group) error {
	var nodes []localNode
	for number := 2; number <= cfg.Nodes; number++ {
		nodes = append(nodes, localNode{cfg, number})
	}
	if len(nodes) == 0 {
		return nil
	}
	secret, err := join.OpenSecret(cfg.DataDir)
	if err != nil {
		return err
	}
	token, err := join.NewToken(authority, secret)
	if err != nil {
		return err
	}
	begin := time.Now()
	waits := make([]context.Context, len(nodes))
	for i, n := range nodes {
		if err := n.space().Ensure(); err != nil {
			return err
		}
		wait, giveUp := context.WithCancelCause(ctx)
		defer giveUp(nil)
		waits[i] = wait
		parts.add("node "+n.name(), func(ctx context.Context) error { return n.run(ctx, token.String(), giveUp) })
	}
	for i, n := range nodes {
		err := waitNode(waits[i], n.name(), api, parts)
		var ends *agentEnds
		switch {
		case errors.As(err, &ends):
			cfg.Progress("node "+n.name()+" is not Ready: "+ends.Error(), time.Since(begin))
		case err != nil:
			return err
		default:
			cfg.Progress("node "+n.name()+" Ready", time.Since(begin))
		}
	}
	return nil
}

// run keeps the node's agent running until ctx ends. When it has ended a few times, those who wait for the node give up.
func (n localNode) run(ctx context.Context, token string, giveUp func(error)) error {
	for ended := 1; ; ended++ {
		err := n.space().Inside(func() error { return n.agent(ctx, token) })
		if ctx.Err() != nil {
			return nil
		}
		if ended == agentTries {
			giveUp(&agentEnds{err, n.log()})
		}
		n.of.Log.Error("the agent of a node ended and is started again", "node", n.name(), "err", err, "log", n.log())
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(agentRestart):
		}
	}
}

// agent runs the agent once. It is told to end with ctx, and with this process, however that ends: the next one finds its
// containers where they are.
func (n localNode) agent(ctx context.Context, token string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own program: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(n.log()), 0o755); err != nil {
		return fmt.Errorf("make log folder: %w", err)
	}
	log, err := os.OpenFile(n.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, self, n.arguments()...)
	cmd.Env = append(os.Environ(), join.TokenVariable+"="+token)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopTimeout
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("agent: %w: %s", err, lastLine(n.log()))
	}
	return errors.New("agent ended")
}

// LocalAgent is the command line of the agent of a further node, after the program's name.
func LocalAgent(cfg *Config, number int) []string { return localNode{cfg, number}.arguments() }

func (n localNode) arguments() []string {
	return append([]string{"agent", "--data-dir", n.dataDir(), "--server", n.of.apiURL(), "--node-name", n.name(),
		"--node-ip", n.address().Addr().String(), "--node-port", strconv.Itoa(int(n.of.NodePort)), "--bundle-dir", n.of.BundleDir,
		"--nameserver", netip.AddrPortFrom(ownNodeIP.Addr(), 53).String(), "--beside", n.of.DataDir}, append(n.of.pressureFlags(), labelFlags(n.of.Labels)...)...)
}

func lastLine(file string) string {
	content, _ := os.ReadFile(file)
	text := strings.TrimSpace(string(content))
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// down ends what the node left running, and removes it from the kernel.
func (n localNode) down(ctx context.Context, grace time.Duration) error {
	cfg, err := n.config()
	if err != nil {
		return err
	}
	stop, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	if _, err := StopRunning(stop, cfg.RunDir); err != nil {
		return err
	}
	r, err := bundledRuntime(cfg)
	if err != nil {
		return err
	}
	if err := r.Down(ctx, grace); err != nil {
		return err
	}
	return errors.Join(runtime.UnmountBelow(podRoot(cfg)), cgroup.New(cgroupRoot(cfg)).RemoveAll(ctx), n.space().Remove(), os.RemoveAll(cfg.RunDir))
}

// uninstall removes what containerd has outside of the node's directories, after down.
func (n localNode) uninstall(ctx context.Context) error {
	cfg, err := n.config()
	if err != nil {
		return err
	}
	r, err := bundledRuntime(cfg)
	if err != nil {
		return err
	}
	return r.Uninstall(ctx, 0)
}
