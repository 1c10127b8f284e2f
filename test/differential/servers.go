package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"

	"proa/daemon"
	"proa/test/kubeapi"
)

// freePort finds a port of loopback that nobody listens on.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}

// startOurs serves Proa's API in this process. stop ends it.
func startOurs(ctx context.Context, dir string) (_ *server, stop func() error, err error) {
	port, err := freePort()
	if err != nil {
		return nil, nil, err
	}
	log, err := os.Create(filepath.Join(dir, "proa.log"))
	if err != nil {
		return nil, nil, fmt.Errorf("make log: %w", err)
	}
	config := &daemon.Config{DataDir: filepath.Join(dir, "proa"), RunDir: filepath.Join(dir, "run"), APIPort: uint16(port), NodeName: "n1",
		Version: "v1.36.1", Log: slog.New(slog.NewTextHandler(log, nil))}
	if err := config.Default(); err != nil {
		return nil, nil, errors.Join(err, log.Close())
	}
	ctx, cancel := context.WithCancel(ctx)
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- daemon.API(ctx, config, func() { close(ready) }) }()
	select {
	case <-ready:
	case err := <-ended:
		cancel()
		return nil, nil, errors.Join(fmt.Errorf("start Proa's API: %w", err), log.Close())
	}
	stop = func() error {
		cancel()
		return errors.Join(<-ended, log.Close())
	}
	v, err := newServer(config.Kubeconfig, fmt.Sprintf("https://127.0.0.1:%d", port))
	if err == nil {
		err = v.makeShared(ctx, true)
	}
	if err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	return v, stop, nil
}

// startUpstream runs upstream's API server with the same settings and, of what Proa's cluster starts with, the objects that
// change how others are answered.
func startUpstream(ctx context.Context, programs, dir string, ours *server) (_ *server, stop func() error, err error) {
	var ports [3]int
	for i := range ports {
		if ports[i], err = freePort(); err != nil {
			return nil, nil, err
		}
	}
	dir = filepath.Join(dir, "upstream")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, nil, fmt.Errorf("make folder: %w", err)
	}
	running, err := kubeapi.StartServer(ctx, kubeapi.Options{Programs: programs, Dir: dir, EtcdPort: ports[0], PeerPort: ports[1], Port: ports[2],
		Flags: []string{"--enable-admission-plugins", "DenyServiceExternalIPs", "--etcd-compaction-interval", "0", "--max-requests-inflight", "3000", "--max-mutating-requests-inflight", "1000"}, EtcdFlags: []string{"--unsafe-no-fsync"}})
	if err != nil {
		return nil, nil, err
	}
	v, err := newServer(running.Kubeconfig, running.URL)
	if err == nil {
		v.caches = true
		err = errors.Join(copyClasses(ctx, ours, v), v.makeShared(ctx, false))
	}
	if err != nil {
		return nil, nil, errors.Join(running.Why(err), running.Stop())
	}
	return v, running.Stop, nil
}

// copyClasses gives upstream the classes that Proa's clusters begin with.
func copyClasses(ctx context.Context, ours, upstream *server) error {
	for _, path := range []string{"/apis/storage.k8s.io/v1/storageclasses", "/apis/networking.k8s.io/v1/ingressclasses"} {
		got, err := ours.ask(ctx, newSymbols("none"), request{method: "GET", path: path})
		if err != nil {
			return err
		}
		list, _ := tree(got.body).(map[string]any)
		items, _ := list["items"].([]any)
		for _, item := range items {
			class := item.(map[string]any)
			meta := metaOf(class)
			class["metadata"] = map[string]any{"name": meta["name"], "annotations": meta["annotations"]}
			made, err := upstream.ask(ctx, newSymbols("none"), request{"POST", path, []string{"Content-Type: application/json"}, pretty(class)})
			if err != nil {
				return err
			}
			if made.code != 201 {
				return fmt.Errorf("copy %s: %s", path, gist(made))
			}
		}
	}
	return nil
}
