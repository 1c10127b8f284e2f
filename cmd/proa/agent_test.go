package main

import (
	"testing"

	"proa/daemon"
)

// TestLocalNodesAreStartedAsAgentsAre: what the first node's process says to the agents of further ones is what agent takes.
func TestLocalNodesAreStartedAsAgentsAre(t *testing.T) {
	for _, labels := range []map[string]string{nil, {"topology.kubernetes.io/zone": "east", "example.com/disk": "fast"}} {
		cfg := daemon.Config{DataDir: t.TempDir(), NodeName: "alpha", Labels: labels}
		if err := cfg.Default(); err != nil {
			t.Fatal(err)
		}
		cmd := agent()
		if err := cmd.ParseFlags(daemon.LocalAgent(&cfg, 2)[1:]); err != nil {
			t.Fatal(err)
		}
		if name, err := cmd.Flags().GetString("node-name"); err != nil || name != "alpha-2" {
			t.Errorf("the node's name is %q, %v", name, err)
		}
		if got, err := cmd.Flags().GetStringToString("node-labels"); err != nil || len(got) != len(labels) || got["example.com/disk"] != labels["example.com/disk"] {
			t.Errorf("the node's labels are %v, %v, not %v", got, err, labels)
		}
	}
}
