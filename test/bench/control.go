package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"proa/test/kubeapi"
)

// nodeAddress is Proa's address for a node that is given none.
const nodeAddress = "10.99.0.1"

// measureProa loads Proa's control plane alone, as upstream's is loaded.
func measureProa(ctx context.Context, o options, out report) error {
	server, c, took, err := startServer(ctx, o)
	if err != nil {
		return err
	}
	out("proa.boot", took.Seconds())
	// Start-up's garbage and first writes are behind it after a moment; a minute of idling is the node stage's part.
	time.Sleep(2 * time.Second)
	run, err := newAPIRun(ctx, c, []int{server.Pid()}, "proa.", out)
	if err == nil {
		err = run.run(ctx)
	}
	return errors.Join(server.Why(err), server.Stop())
}

// startServer starts a control plane on an empty data directory and returns when it is ready, and how long that took.
func startServer(ctx context.Context, o options) (*kubeapi.Process, *client, time.Duration, error) {
	if text, err := exec.Command("ip", "addr", "add", nodeAddress+"/32", "dev", "lo").CombinedOutput(); err != nil {
		return nil, nil, 0, fmt.Errorf("add address: %w: %s", err, text)
	}
	kubeconfig := filepath.Join(o.work, "kubeconfig")
	begin := time.Now()
	audit, err := auditFlags(o)
	if err != nil {
		return nil, nil, 0, err
	}
	server, err := kubeapi.Start(filepath.Join(o.work, "server.log"), o.proa,
		append([]string{"server", "--data-dir", filepath.Join(o.work, "data"), "--kubeconfig", kubeconfig}, audit...)...)
	if err != nil {
		return nil, nil, 0, err
	}
	if err := kubeapi.UntilReady(ctx, "https://"+nodeAddress+":6443"); err != nil {
		return nil, nil, 0, errors.Join(server.Why(err), server.Stop())
	}
	took := time.Since(begin)
	c, err := newClient(kubeconfig)
	if err != nil {
		return nil, nil, 0, errors.Join(err, server.Stop())
	}
	return server, c, took, nil
}

// auditPolicy notes every request, as most clusters that keep an audit log do.
const auditPolicy = `{"apiVersion":"audit.k8s.io/v1","kind":"Policy","omitStages":["RequestReceived"],"rules":[{"level":"Metadata"}]}`

// auditFlags let a server keep an audit log; Proa's flags are upstream's.
func auditFlags(o options) ([]string, error) {
	policy := filepath.Join(o.work, "audit.json")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		return nil, fmt.Errorf("write audit policy: %w", err)
	}
	return []string{"--audit-policy-file", policy, "--audit-log-path", filepath.Join(o.work, "audit.log")}, nil
}
