package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"proa/ops/join"
)

func token() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Print the token with which nodes join this cluster",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir := o.config.DataDir
			secret, err := join.ReadSecret(dir)
			if errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("no cluster in %s: run proa up or proa server first", dir)
			}
			if err != nil {
				return err
			}
			authority, err := os.ReadFile(filepath.Join(dir, "pki", "ca.crt"))
			if err != nil {
				return fmt.Errorf("read the cluster's authority: %w", err)
			}
			t, err := join.NewToken(authority, secret)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), t)
			return nil
		},
	}
	o.dataDir(cmd)
	return cmd
}
