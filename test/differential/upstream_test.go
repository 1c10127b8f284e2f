package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestUpstreamAnswersAlike asks both servers 10,000 requests, always the same. `make differential` asks more, and others.
func TestUpstreamAnswersAlike(t *testing.T) {
	if testing.Short() {
		t.Skip("starts upstream's API server; not in short runs")
	}
	cache := os.Getenv("PROA_UPSTREAM_CACHE")
	if cache == "" {
		cache = "../../.cache/upstream"
	}
	programs := filepath.Join(cache, "bin")
	for _, name := range []string{"etcd", "kube-apiserver"} {
		if _, err := os.Stat(filepath.Join(programs, name)); err != nil {
			t.Skipf("upstream's %s is not built, which takes minutes: test/upstream/build kube-apiserver etcd", name)
		}
	}
	ours := ourServer(t)
	upstream, stop, err := startUpstream(t.Context(), programs, t.TempDir(), ours)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	found := newReport(openClasses())
	if _, err := compareAll(t.Context(), options{seed: 1, requests: perRun}, upstream, ours, found); err != nil {
		t.Fatal(err)
	}
	if err := confirmAll(t.Context(), upstream, ours, found); err != nil {
		t.Fatal(err)
	}
	for _, c := range found.unknown() {
		t.Errorf("%d times; %s: %s", c.count, c.first.history.title, c.first.difference)
	}
}
