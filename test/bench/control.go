package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"time"
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
	run, err := newAPIRun(c, []int{server.pid()}, "proa.", out)
	if err == nil {
		err = run.run(ctx)
	}
	return errors.Join(server.why(err), server.stop())
}

// startServer starts a control plane on an empty data directory and returns when it is ready, and how long that took.
func startServer(ctx context.Context, o options) (*process, *client, time.Duration, error) {
	if text, err := exec.Command("ip", "addr", "add", nodeAddress+"/32", "dev", "lo").CombinedOutput(); err != nil {
		return nil, nil, 0, fmt.Errorf("add address: %w: %s", err, text)
	}
	kubeconfig := filepath.Join(o.work, "kubeconfig")
	begin := time.Now()
	server, err := start(filepath.Join(o.work, "server.log"), o.proa, "server", "--data-dir", filepath.Join(o.work, "data"), "--kubeconfig", kubeconfig)
	if err != nil {
		return nil, nil, 0, err
	}
	if err := untilReady(ctx, "https://"+nodeAddress+":6443"); err != nil {
		return nil, nil, 0, errors.Join(server.why(err), server.stop())
	}
	took := time.Since(begin)
	c, err := newClient(kubeconfig)
	if err != nil {
		return nil, nil, 0, errors.Join(err, server.stop())
	}
	return server, c, took, nil
}

// untilReady asks an API server's /readyz until it says yes, half a minute at most.
func untilReady(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	// Only whether it answers matters; its certificate may not exist yet when the asking begins.
	asker := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, Timeout: 5 * time.Second}
	defer asker.CloseIdleConnections()
	return until(ctx, 2*time.Millisecond, func() error {
		answer, err := asker.Get(url + "/readyz")
		if err != nil {
			return fmt.Errorf("ask whether the API is ready: %w", err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("ask whether the API is ready: %s", answer.Status)
		}
		return nil
	})
}
