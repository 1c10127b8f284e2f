package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// measureUpstream loads upstream's API server and its etcd. No controller and no scheduler run, which is to their advantage:
// Proa's do.
func measureUpstream(ctx context.Context, o options, out report) error {
	if err := makeKeys(o.work); err != nil {
		return err
	}
	const etcdURL, peerURL = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
	begin := time.Now()
	etcd, err := start(filepath.Join(o.work, "etcd.log"), filepath.Join(o.upstream, "etcd"), "--data-dir", filepath.Join(o.work, "etcd"), "--log-level", "warn",
		"--listen-client-urls", etcdURL, "--advertise-client-urls", etcdURL,
		"--listen-peer-urls", peerURL, "--initial-advertise-peer-urls", peerURL, "--initial-cluster", "default="+peerURL)
	if err != nil {
		return err
	}
	defer etcd.stop()
	if err := until(ctx, 5*time.Millisecond, func() error {
		answer, err := http.Get(etcdURL + "/health")
		if err != nil {
			return fmt.Errorf("ask etcd: %w", err)
		}
		return answer.Body.Close()
	}); err != nil {
		return etcd.why(err)
	}
	file := func(name string) string { return filepath.Join(o.work, name) }
	server, err := start(file("apiserver.log"), filepath.Join(o.upstream, "kube-apiserver"),
		"--etcd-servers", etcdURL, "--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1", "--secure-port", "6443",
		"--service-cluster-ip-range", "10.96.0.0/16", "--authorization-mode", "Node,RBAC", "--enable-admission-plugins", "NodeRestriction",
		"--client-ca-file", file("ca.crt"), "--tls-cert-file", file("server.crt"), "--tls-private-key-file", file("server.key"),
		"--service-account-key-file", file("ca.key"), "--service-account-signing-key-file", file("ca.key"),
		"--service-account-issuer", "https://kubernetes.default.svc.cluster.local",
		// Fair queueing would hold back a load of one user; goals.md's yardstick lifts limits.
		"--max-requests-inflight", "3000", "--max-mutating-requests-inflight", "1000")
	if err != nil {
		return err
	}
	if err := untilReady(ctx, "https://127.0.0.1:6443"); err != nil {
		return errors.Join(server.why(err), server.stop())
	}
	out("upstream.boot", time.Since(begin).Seconds())
	time.Sleep(2 * time.Second)
	c, err := newClient(file("kubeconfig"))
	if err == nil {
		var run *apiRun
		if run, err = newAPIRun(c, []int{server.pid(), etcd.pid()}, "upstream.", out); err == nil {
			err = run.run(ctx)
		}
	}
	return errors.Join(server.why(err), server.stop())
}

const upstreamKubeconfig = `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:6443", certificate-authority: ca.crt}}]
users: [{name: u, user: {client-certificate: admin.crt, client-key: admin.key}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
current-context: c
`

// makeKeys makes what upstream's API server is started with, and a kubeconfig for its administrator.
func makeKeys(dir string) error {
	ca, err := newAuthority(dir)
	if err != nil {
		return err
	}
	if err := ca.issue(dir, "server", "kube-apiserver"); err != nil {
		return err
	}
	if err := ca.issue(dir, "admin", "admin", "system:masters"); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "kubeconfig"), []byte(upstreamKubeconfig), 0o600)
}
