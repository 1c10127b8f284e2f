package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"proa/daemon"
)

func status() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what runs, what is wrong, and what to do about it",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return daemon.Status(cmd.Context(), &o.config, os.Stdout)
		},
	}
	o.dataDir(cmd)
	cmd.Flags().StringVar(&o.config.Kubeconfig, "kubeconfig", "", fmt.Sprintf("how to reach the cluster (default DATA-DIR/kubeconfig, such as %s)", defaultKubeconfig()))
	return cmd
}
