package main

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"time"

	"github.com/spf13/cobra"

	"proa/daemon"
)

// options are the flags that several verbs share.
type options struct {
	config   daemon.Config
	oidc     daemon.OIDC
	nodeIP   string
	pods     string
	nodePods string
	services string
	verbose  bool
}

// dataDir adds the flag that says which cluster is meant.
func (o *options) dataDir(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.config.DataDir, "data-dir", daemon.DefaultDataDir, "where the cluster is kept")
}

// serve adds the flags of the verbs that run a part of a cluster.
func (o *options) serve(cmd *cobra.Command) {
	o.dataDir(cmd)
	f := cmd.Flags()
	f.StringVar(&o.config.Kubeconfig, "kubeconfig", "", "file to write for the cluster's administrator (default DATA-DIR/kubeconfig)")
	f.StringVar(&o.config.NodeName, "node-name", "", "name of this node (default the host's name)")
	o.labels(cmd)
	f.DurationVar(&o.config.NodeGrace, "node-monitor-grace-period", 0, "how long a node may be silent until it counts as lost (default 50s)")
	f.DurationVar(&o.config.ShutdownDelay, "shutdown-delay-duration", 0, "how long the API is served on after it was told to stop, while /readyz says that it is not ready")
	f.DurationVar(&o.config.DownWindow, "horizontal-pod-autoscaler-downscale-stabilization", 0, "how long autoscalers wait before they scale down, unless they say it themselves (default 5m)")
	f.StringVar(&o.config.EncryptionConfig, "encryption-provider-config", "", "file that says how secrets and other kinds are encrypted on the disk (default: secrets, with keys in DATA-DIR/pki/encryption.yaml)")
	f.BoolVar(&o.config.EncryptionReload, "encryption-provider-config-automatic-reload", false, "take up changes of that file without a restart; what is stored is encrypted anew when it is written, or at the next start")
	f.StringSliceVar(&o.config.EnabledAdmission, "enable-admission-plugins", nil, "admission plug-ins to take besides the default ones, by upstream's names")
	f.StringSliceVar(&o.config.DisabledAdmission, "disable-admission-plugins", nil, "admission plug-ins to leave out, by upstream's names")
	o.identity(cmd)
	f.StringVar(&o.nodeIP, "node-ip", "", "address of this node (default one of Proa's own, which no other machine reaches)")
	f.Uint16Var(&o.config.APIPort, "api-port", 6443, "port of the API")
	f.Uint16Var(&o.config.NodePort, "node-port", 10250, "port of the node's own API")
	f.StringVar(&o.pods, "pod-cidr", "10.244.0.0/16", "range of the addresses of all pods")
	f.StringVar(&o.nodePods, "node-pod-cidr", "10.244.0.0/24", "this node's share of it")
	f.StringVar(&o.services, "service-cidr", "10.96.0.0/16", "range of the addresses of Services")
	f.StringVar(&o.config.Domain, "cluster-domain", "cluster.local", "domain of the cluster's names")
	f.StringSliceVar(&o.config.Nameservers, "nameserver", nil, "resolver for all other names, HOST:PORT (default those of /etc/resolv.conf)")
	f.StringVar(&o.config.CRIEndpoint, "container-runtime-endpoint", "", "socket of a container runtime that is there already (default: the bundled containerd is started)")
	f.StringVar(&o.config.BundleDir, "bundle-dir", "", "where containerd, runc and their like are (default the folder bundle beside proa, then PATH)")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "log more")
}

// labels adds the flag that labels nodes.
func (o *options) labels(cmd *cobra.Command) {
	cmd.Flags().StringToStringVar(&o.config.Labels, "node-labels", nil, "labels of this machine's nodes, KEY=VALUE,...; topology.kubernetes.io/zone says where they are")
}

// audit adds upstream's flags of the audit log.
func (o *options) audit(cmd *cobra.Command) {
	f, a := cmd.Flags(), &o.config.Audit
	f.StringVar(&a.PolicyFile, "audit-policy-file", "", "what is written down of which requests: a file with an audit.k8s.io/v1 Policy")
	f.StringVar(&a.LogPath, "audit-log-path", "", "file for the events, - for the standard output")
	f.StringVar(&a.LogMode, "audit-log-mode", "blocking", "batch, blocking or blocking-strict")
	f.IntVar(&a.LogMaxAge, "audit-log-maxage", 0, "days to keep rotated files (0: for ever)")
	f.IntVar(&a.LogMaxBackup, "audit-log-maxbackup", 0, "rotated files to keep (0: all)")
	f.IntVar(&a.LogMaxSize, "audit-log-maxsize", 0, "size in MiB at which the file is rotated (0: 100)")
	f.StringVar(&a.WebhookConfigFile, "audit-webhook-config-file", "", "kubeconfig of a server that the events are posted to")
	f.StringVar(&a.WebhookMode, "audit-webhook-mode", "batch", "batch, blocking or blocking-strict")
	f.IntVar(&a.WebhookBufferSize, "audit-webhook-batch-buffer-size", 10000, "events that may wait for the server; what comes beyond is lost")
	f.IntVar(&a.WebhookMaxSize, "audit-webhook-batch-max-size", 400, "events to a request")
	f.DurationVar(&a.WebhookMaxWait, "audit-webhook-batch-max-wait", 30*time.Second, "how long an event may wait for others")
	f.DurationVar(&a.WebhookInitialDelay, "audit-webhook-initial-backoff", 10*time.Second, "wait before the first request is tried again")
}

// complete reads what was given as text and fills in the rest.
func (o *options) complete() error {
	level := slog.LevelInfo
	if o.verbose {
		level = slog.LevelDebug
	}
	if err := o.completeIdentity(); err != nil {
		return err
	}
	o.config.Log = newLog(os.Stderr, level)
	o.config.Version, o.config.Commit, o.config.BuildDate = version, commit, buildDate
	for _, p := range []struct {
		text string
		to   *netip.Prefix
	}{{o.pods, &o.config.Pods}, {o.nodePods, &o.config.NodePods}, {o.services, &o.config.Services}} {
		if p.text == "" {
			continue
		}
		prefix, err := netip.ParsePrefix(p.text)
		if err != nil {
			return fmt.Errorf("range %q: write it as 10.0.0.0/16", p.text)
		}
		*p.to = prefix
	}
	if o.nodeIP != "" {
		addr, err := netip.ParseAddr(o.nodeIP)
		if err != nil {
			return fmt.Errorf("--node-ip %q is not an address", o.nodeIP)
		}
		o.config.NodeIP = addr
	}
	return o.config.Default()
}
