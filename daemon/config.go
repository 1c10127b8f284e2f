// Package daemon is the one assembler: it builds the roles of a Proa process from a Config, starts their parts in order,
// and stops them in reverse. No other package knows more than its own part.
package daemon

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"proa/node/evict"
	"proa/node/imagegc"
	"proa/node/shutdown"
)

// DefaultDataDir is where a cluster is kept unless told otherwise.
const DefaultDataDir = "/var/lib/proa"

// Config is what can be said about a process of Proa; flags and the configuration file have the same names. Default fills
// in what is left empty.
type Config struct {
	DataDir    string // what lasts: keys, objects, images, volumes, logs
	RunDir     string // what a reboot empties: sockets, locks, pod addresses
	Kubeconfig string // written for the cluster's administrator
	BundleDir  string // containerd, its shim, runc and proa-cni; searched before PATH

	// EncryptionConfig is a file that says how secrets and other kinds are encrypted (an EncryptionConfiguration); empty: secrets
	// with keys of the cluster's own.
	EncryptionConfig string
	// EncryptionReload takes up changes of that file while the server runs.
	EncryptionReload bool

	EnabledAdmission  []string // admission plug-ins that are taken, besides the default ones
	DisabledAdmission []string // admission plug-ins that are left out

	Identity Identity // who is asked who somebody is, beyond the cluster itself

	NodeName string
	NodeIP   netip.Addr // the node's address; unset: one of Proa's own on link proa0
	APIPort  uint16
	NodePort uint16            // of the node's own API
	Labels   map[string]string // of this machine's nodes, set when a node starts
	Nodes    int               // on this machine, all together, where the first is in the cluster's process; 0: as many as there were

	Pods          netip.Prefix // all pods of the cluster
	NodePods      netip.Prefix // this node's share
	Services      netip.Prefix // cluster IPs
	Domain        string       // of the cluster's names
	Nameservers   []string     // resolvers for all other names, with ports; unset: those of /etc/resolv.conf
	CRIEndpoint   string       // a container runtime that is there already; empty: the bundled containerd
	SandboxImage  string
	Beside        string        // data directory of the cluster on this machine that the node belongs to; empty: none, or this one
	NodeGrace     time.Duration // silence after which a node counts as lost; 0: upstream's
	ShutdownDelay time.Duration // between /readyz failing and the end of serving
	DownWindow    time.Duration // before autoscalers that do not say it scale down; 0: upstream's

	Eviction evict.Settings // when pods of a node that runs short are evicted
	Images   imagegc.Policy // when unused images of a node are removed

	ManifestDir string            // pods that are the node's own, a file each; empty: none
	Shutdown    shutdown.Settings // how pods of a node end when its machine shuts down
	Audit       AuditConfig       // what is written down of requests

	Version, Commit, BuildDate string // of the program, for /version

	Log *slog.Logger
	// Progress is told what is being done and how long it took, for the user who waits. Optional.
	Progress func(step string, took time.Duration)
}

// nodeLink is the bridge that holds addresses of the node's own.
const nodeLink = "proa0"

// Default fills in what is empty and checks the rest.
func (c *Config) Default() error {
	setDefault(&c.DataDir, DefaultDataDir)
	var err error
	if c.DataDir, err = filepath.Abs(c.DataDir); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	setDefault(&c.RunDir, runDir(c.DataDir))
	setDefault(&c.Kubeconfig, filepath.Join(c.DataDir, "kubeconfig"))
	setDefault(&c.Domain, "cluster.local")
	setDefault(&c.SandboxImage, "proa.local/pause:1")
	if c.NodeName == "" {
		host, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("name the node: %w", err)
		}
		c.NodeName = strings.ToLower(host)
	}
	if c.APIPort == 0 {
		c.APIPort = 6443
	}
	if c.NodePort == 0 {
		c.NodePort = 10250
	}
	defaultPrefix(&c.Pods, "10.244.0.0/16")
	defaultPrefix(&c.NodePods, "10.244.0.0/24")
	defaultPrefix(&c.Services, "10.96.0.0/16")
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Progress == nil {
		c.Progress = func(string, time.Duration) {}
	}
	if c.BundleDir == "" {
		self, err := os.Executable()
		if err != nil {
			return fmt.Errorf("find the bundle: %w", err)
		}
		c.BundleDir = filepath.Join(filepath.Dir(self), "bundle")
	}
	return c.check()
}

func (c *Config) check() error {
	var wrong []error
	for name, p := range map[string]netip.Prefix{"pods": c.Pods, "node pods": c.NodePods, "services": c.Services} {
		if !p.Addr().Is4() {
			wrong = append(wrong, fmt.Errorf("range of %s %s: only IPv4 is supported", name, p))
		}
	}
	if !c.Pods.Overlaps(c.NodePods) {
		wrong = append(wrong, fmt.Errorf("the node's pods %s are outside the cluster's %s", c.NodePods, c.Pods))
	}
	if c.Pods.Overlaps(c.Services) {
		wrong = append(wrong, fmt.Errorf("the ranges of pods %s and services %s overlap", c.Pods, c.Services))
	}
	if c.NodeIP.IsValid() && (!c.NodeIP.Is4() || c.NodeIP.IsLoopback() || c.NodeIP.IsUnspecified()) {
		wrong = append(wrong, fmt.Errorf("the node's address %s is not one that pods can reach: give an IPv4 address of this machine other than loopback", c.NodeIP))
	}
	if c.Identity.AuthenticationConfig != "" && c.Identity.OIDC != nil {
		wrong = append(wrong, errors.New("authentication-config file and oidc-* flags are mutually exclusive"))
	}
	switch {
	case c.Nodes < 0 || c.Nodes > mostNodes:
		wrong = append(wrong, fmt.Errorf("%d nodes on one machine: give a number from 1 to %d", c.Nodes, mostNodes))
	case c.Nodes > 1 && c.NodeIP.IsValid():
		wrong = append(wrong, errors.New("further nodes on this machine are on a network of Proa's own, and so must the first be: leave out either --nodes or --node-ip"))
	case c.Nodes > 1 && c.CRIEndpoint != "":
		wrong = append(wrong, errors.New("further nodes on this machine have a container runtime each: leave out either --nodes or --container-runtime-endpoint"))
	}
	if c.ShutdownDelay < 0 {
		wrong = append(wrong, fmt.Errorf("a server cannot stop %s after it was told to: give a time of zero or more", c.ShutdownDelay))
	}
	if c.NodeGrace < 0 {
		wrong = append(wrong, fmt.Errorf("a node cannot be lost after %s: give a time above zero", c.NodeGrace))
	}
	return errors.Join(append(wrong, checkLabels(c.Labels), c.checkPressure(), c.Audit.check())...)
}

// ownNodeIP is the address that the node takes when it is not given one: it exists on no cable and never changes, so a
// laptop may change networks.
var ownNodeIP = netip.MustParsePrefix("10.99.0.1/24")

// nodeIP is the node's address.
func (c *Config) nodeIP() netip.Addr {
	if c.NodeIP.IsValid() {
		return c.NodeIP
	}
	return ownNodeIP.Addr()
}

// nthAddress is the n-th address of a range: 1 is the API server's cluster IP, 10 that of DNS, as everywhere.
func nthAddress(p netip.Prefix, n int) netip.Addr {
	addr := p.Masked().Addr()
	for range n {
		addr = addr.Next()
	}
	return addr
}

func (c *Config) apiServiceIP() netip.Addr { return nthAddress(c.Services, 1) }
func (c *Config) dnsServiceIP() netip.Addr { return nthAddress(c.Services, 10) }

// apiURL is where the API is served for the node itself and its users.
func (c *Config) apiURL() string {
	return "https://" + netip.AddrPortFrom(c.nodeIP(), c.APIPort).String()
}

// runDir is derived from the data directory, so that clusters do not meet, and is short, since sockets' names must be.
func runDir(dataDir string) string {
	if dataDir == DefaultDataDir {
		return "/run/proa"
	}
	sum := sha256.Sum256([]byte(dataDir))
	return "/run/proa-" + hex.EncodeToString(sum[:4])
}

func setDefault(s *string, value string) {
	if *s == "" {
		*s = value
	}
}

func defaultPrefix(p *netip.Prefix, value string) {
	if !p.IsValid() {
		*p = netip.MustParsePrefix(value)
	}
}

// podRoot holds a folder per pod, logRoot the logs of their containers.
func podRoot(c *Config) string { return filepath.Join(c.DataDir, "pods") }
func logRoot(c *Config) string { return filepath.Join(c.DataDir, "log", "pods") }

// cgroupRoot is the control group that all pods are in: the name that tools expect, unless several clusters share a machine.
func cgroupRoot(c *Config) string {
	return "/kubepods" + strings.TrimPrefix(filepath.Base(c.RunDir), "proa")
}
