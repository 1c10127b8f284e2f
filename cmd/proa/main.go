// Command proa is a whole Kubernetes in one program. Each verb has a file of its own here; they turn flags into a
// daemon.Config or talk to a cluster that runs.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

// Set by the build.
var (
	version   = "dev"
	commit    = ""
	buildDate = ""
)

func main() {
	if err := root().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "proa: "+err.Error())
		os.Exit(1)
	}
}

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:           "proa",
		Short:         "A whole Kubernetes in one program",
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	cmd.CompletionOptions.HiddenDefaultCmd = true
	cmd.AddCommand(up(), down(), uninstall(), server(), agent(), token(), status(), kubectl(), kubeconfig(), image(), edge())
	return cmd
}
