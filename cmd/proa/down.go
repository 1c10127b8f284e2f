package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"proa/daemon"
)

func down() *cobra.Command {
	var o options
	var grace time.Duration
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Stop the cluster and its containers; everything comes back with the next up",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return daemon.Down(cmd.Context(), &o.config, grace, say)
		},
	}
	o.dataDir(cmd)
	cmd.Flags().DurationVar(&grace, "grace", 10*time.Second, "how long containers may take to stop")
	return cmd
}

func uninstall() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Remove the cluster: every process, mount, link, rule, cgroup and file of it",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return daemon.Uninstall(cmd.Context(), &o.config, say)
		},
	}
	o.dataDir(cmd)
	return cmd
}

func say(line string) { fmt.Println(line) }
