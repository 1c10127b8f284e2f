// Package kubeapi runs upstream's own API server and its etcd, as built by test/upstream/build, for those who compare Proa
// with them: test/bench and test/differential.
//
// It decides nothing; it owns the processes that it starts, which listen on loopback alone, and the folder that it is given.
// No controller and no scheduler run. When a program does not come up, the error holds the end of its log.
package kubeapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"time"
)

// Options say where upstream's API server runs.
type Options struct {
	Programs                 string // folder of kube-apiserver and etcd
	Dir                      string // for keys, data and logs; it exists
	EtcdPort, PeerPort, Port int
	Flags                    []string
	EtcdFlags                []string
}

// Server is a running API server of upstream's.
type Server struct {
	URL, Kubeconfig string
	etcd, server    *Process
}

// StartServer starts both programs and returns when the API is ready.
func StartServer(ctx context.Context, o Options) (_ *Server, err error) {
	if err := makeKeys(o.Dir, o.Port); err != nil {
		return nil, err
	}
	file := func(name string) string { return filepath.Join(o.Dir, name) }
	s := &Server{URL: fmt.Sprintf("https://127.0.0.1:%d", o.Port), Kubeconfig: file("kubeconfig")}
	defer func() {
		if err != nil {
			err = errors.Join(s.Why(err), s.Stop())
		}
	}()
	client, peer := fmt.Sprintf("http://127.0.0.1:%d", o.EtcdPort), fmt.Sprintf("http://127.0.0.1:%d", o.PeerPort)
	if s.etcd, err = Start(file("etcd.log"), filepath.Join(o.Programs, "etcd"), append([]string{"--data-dir", file("etcd"), "--log-level", "warn",
		"--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default=" + peer}, o.EtcdFlags...)...); err != nil {
		return nil, err
	}
	if err := untilHealthy(ctx, client); err != nil {
		return nil, err
	}
	s.server, err = Start(file("apiserver.log"), filepath.Join(o.Programs, "kube-apiserver"), append([]string{
		"--etcd-servers", client, "--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1", "--secure-port", strconv.Itoa(o.Port),
		"--service-cluster-ip-range", "10.96.0.0/16", "--authorization-mode", "Node,RBAC", "--enable-admission-plugins", "NodeRestriction", "--allow-privileged",
		"--client-ca-file", file("ca.crt"), "--tls-cert-file", file("server.crt"), "--tls-private-key-file", file("server.key"),
		"--service-account-key-file", file("ca.key"), "--service-account-signing-key-file", file("ca.key"),
		"--service-account-issuer", "https://kubernetes.default.svc.cluster.local"}, o.Flags...)...)
	if err != nil {
		return nil, err
	}
	return s, UntilReady(ctx, s.URL)
}

func untilHealthy(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return Until(ctx, 5*time.Millisecond, func() error {
		answer, err := http.Get(url + "/health")
		if err != nil {
			return fmt.Errorf("ask etcd: %w", err)
		}
		return answer.Body.Close()
	})
}

// Pids are the processes of the two programs.
func (s *Server) Pids() []int { return []int{s.server.Pid(), s.etcd.Pid()} }

// Why adds the ends of the logs to an error.
func (s *Server) Why(err error) error {
	if s.server != nil {
		return s.server.Why(err)
	}
	if s.etcd != nil {
		return s.etcd.Why(err)
	}
	return err
}

// Stop ends both programs, the API server first.
func (s *Server) Stop() error {
	var failed []error
	for _, p := range []*Process{s.server, s.etcd} {
		if p != nil {
			failed = append(failed, p.Stop())
		}
	}
	return errors.Join(failed...)
}
