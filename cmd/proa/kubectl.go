package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	kubectlcmd "k8s.io/kubectl/pkg/cmd"

	"proa/daemon"
)

// kubectl is upstream's, told where the cluster is when the user has not said so.
func kubectl() *cobra.Command {
	return &cobra.Command{
		Use:                "kubectl",
		Short:              "Upstream's kubectl, for the cluster on this machine",
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			if os.Getenv("KUBECONFIG") == "" {
				os.Setenv("KUBECONFIG", defaultKubeconfig())
			}
			os.Args = append([]string{"kubectl"}, args...)
			return kubectlcmd.NewDefaultKubectlCommand().Execute()
		},
	}
}

// defaultKubeconfig is where proa up writes it unless told otherwise.
func defaultKubeconfig() string { return filepath.Join(daemon.DefaultDataDir, "kubeconfig") }

func kubeconfig() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "kubeconfig",
		Short: "Print where the administrator's kubeconfig is",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			file := filepath.Join(o.config.DataDir, "kubeconfig")
			if _, err := os.Stat(file); err != nil {
				return fmt.Errorf("no cluster in %s: run proa up first", o.config.DataDir)
			}
			fmt.Println(file)
			return nil
		},
	}
	o.dataDir(cmd)
	return cmd
}
