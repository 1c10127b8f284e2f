package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"proa/daemon"
	"proa/ops/join"
)

func agent() *cobra.Command {
	var o options
	var server, token string
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "Run a node of a cluster that is served elsewhere",
		Long: "Run a node of a cluster that is served elsewhere. The token, which proa token prints on the server, is needed once;\n" +
			"after that the node's own certificates do.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.complete(); err != nil {
				return err
			}
			if token == "" {
				token = os.Getenv(join.TokenVariable)
			}
			return runUntilSignal(cmd.Context(), &o.config, func(ctx context.Context, cfg *daemon.Config, ready func()) error {
				return daemon.Agent(ctx, cfg, server, token, ready)
			})
		},
	}
	o.dataDir(cmd)
	f := cmd.Flags()
	f.StringVar(&server, "server", "", "the cluster's API, https://ADDRESS:6443")
	f.StringVar(&token, "token", "", "what proa token prints on the server (default $"+join.TokenVariable+")")
	f.StringVar(&o.config.NodeName, "node-name", "", "name of this node (default the host's name)")
	o.labels(cmd)
	f.StringVar(&o.nodeIP, "node-ip", "", "address of this node (default the one from which the server is reached)")
	f.Uint16Var(&o.config.NodePort, "node-port", 10250, "port of the node's own API")
	f.StringSliceVar(&o.config.Nameservers, "nameserver", nil, "resolver for names outside the cluster, HOST:PORT (default those of /etc/resolv.conf)")
	f.StringVar(&o.config.CRIEndpoint, "container-runtime-endpoint", "", "socket of a container runtime that is there already (default: the bundled containerd is started)")
	f.StringVar(&o.config.BundleDir, "bundle-dir", "", "where containerd, runc and their like are (default the folder bundle beside proa, then PATH)")
	f.StringVar(&o.config.Beside, "beside", "", "data directory of a cluster on this machine: images that one of its nodes has are shared, not pulled")
	o.node(cmd)
	f.BoolVarP(&o.verbose, "verbose", "v", false, "log more")
	_ = cmd.MarkFlagRequired("server") // it exists
	return cmd
}
