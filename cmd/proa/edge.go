package main

import (
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"proa/daemon"
)

// edge is what the cluster starts by itself, so it is not shown.
func edge() *cobra.Command {
	return &cobra.Command{
		Use: daemon.EdgeVerb + " DIR ADDRESS", Short: "Serve Ingresses", Hidden: true, Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return daemon.ServeEdge(cmd.Context(), args[0], args[1], slog.New(slog.NewTextHandler(os.Stderr, nil)))
		},
	}
}
