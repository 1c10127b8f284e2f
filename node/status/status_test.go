package status_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/client"
	"proa/client/fake"
	"proa/kinds"
	"proa/kinds/coordination"
	"proa/kinds/core"
	"proa/node/cri"
	"proa/node/status"
)

// runtime is a container runtime that can be down.
type runtime struct {
	mu   sync.Mutex
	info cri.Info
	err  error
}

func (r *runtime) set(info cri.Info, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.info, r.err = info, err
}

func (r *runtime) Info(context.Context) (cri.Info, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.info, r.err
}

func (r *runtime) ListImages(context.Context) ([]cri.ImageNames, error) {
	return []cri.ImageNames{{Names: []string{"small:1"}, Size: 1}, {Names: []string{"big:1"}, Size: 1000}, {Size: 5}}, nil
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) get() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func TestReporter(t *testing.T) {
	api := fake.New(fake.Config{Kinds: kinds.New(core.Node(), coordination.Lease())})
	c := api.As("system:node:n1")
	runtime := &runtime{info: cri.Info{Name: "containerd", Version: "v2.2.9", NotReady: []string{"container runtime network not ready: NetworkReady=false reason:x message:y"}}}
	clock := &clock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	reporter := status.New(status.Config{
		NodeName: "n1", Client: c, Runtime: runtime, IPs: []string{"192.0.2.5"}, Port: 10250, Version: "v1.36.3", RootDir: "/",
		Labels: map[string]string{"zone": "a"}, Log: slog.New(slog.DiscardHandler), Now: clock.get,
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- reporter.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()

	node := wait(t, c, func(n *v1.Node) bool { return ready(n).Status == v1.ConditionFalse })
	if got := ready(node); got.Reason != "KubeletNotReady" || got.Message != runtime.info.NotReady[0] {
		t.Errorf("ready is %+v", got)
	}
	if node.Labels[v1.LabelHostname] != "n1" || node.Labels["zone"] != "a" {
		t.Errorf("labels are %v", node.Labels)
	}
	runtime.set(cri.Info{Name: "containerd", Version: "v2.2.9"}, nil)
	clock.add(10 * time.Second)
	reporter.Poke()
	node = wait(t, c, func(n *v1.Node) bool { return ready(n).Status == v1.ConditionTrue })
	check(t, node)

	lease := waitLease(t, c, clock.get())
	if *lease.Spec.HolderIdentity != "n1" || *lease.Spec.LeaseDurationSeconds != 40 || lease.OwnerReferences[0].UID != node.UID {
		t.Errorf("lease is %+v", lease)
	}

	runtime.set(cri.Info{}, errors.New("connection refused"))
	clock.add(10 * time.Second)
	reporter.Poke()
	node = wait(t, c, func(n *v1.Node) bool { return ready(n).Status == v1.ConditionFalse })
	if got := ready(node); got.Message != "container runtime is down: connection refused" || node.Status.NodeInfo.ContainerRuntimeVersion != "containerd://2.2.9" {
		t.Errorf("status is %+v", node.Status)
	}
	waitLease(t, c, clock.get())
}

func check(t *testing.T, node *v1.Node) {
	t.Helper()
	s := node.Status
	if s.NodeInfo.KubeletVersion != "v1.36.3" || s.NodeInfo.BootID == "" || s.NodeInfo.OSImage == "" || s.DaemonEndpoints.KubeletEndpoint.Port != 10250 {
		t.Errorf("node info is %+v", s.NodeInfo)
	}
	if want := []v1.NodeAddress{{Type: v1.NodeInternalIP, Address: "192.0.2.5"}, {Type: v1.NodeHostName, Address: "n1"}}; !slices.Equal(s.Addresses, want) {
		t.Errorf("addresses are %v", s.Addresses)
	}
	if len(s.Images) != 2 || s.Images[0].Names[0] != "big:1" {
		t.Errorf("images are %v", s.Images)
	}
	for _, name := range []v1.ResourceName{v1.ResourceCPU, v1.ResourceMemory, v1.ResourcePods, v1.ResourceEphemeralStorage} {
		if free, all := s.Allocatable[name], s.Capacity[name]; free.IsZero() || free.Cmp(all) > 0 {
			t.Errorf("allocatable %s is %s of %s", name, free.String(), all.String())
		}
	}
}

// TestNodeThatExists finds the node that an agent before it registered, and gives it its labels.
func TestNodeThatExists(t *testing.T) {
	api := fake.New(fake.Config{Kinds: kinds.New(core.Node(), coordination.Lease())})
	c := api.As("system:node:n1")
	old := &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1", Labels: map[string]string{"mine": "kept"}}, Spec: v1.NodeSpec{Unschedulable: true}}
	if _, err := c.Create(t.Context(), client.Ref{Table: "nodes"}, "", old, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	patch := []byte(`{"status":{"capacity":{"example.com/dongle":"3"}}}`)
	if _, err := c.Patch(t.Context(), client.Ref{Table: "nodes", Name: "n1"}, "status", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	reporter := status.New(status.Config{
		NodeName: "n1", Client: c, Runtime: &runtime{}, IPs: []string{"192.0.2.5"}, Version: "v1.36.3", RootDir: "/", Log: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- reporter.Run(ctx) }()
	node := wait(t, c, func(n *v1.Node) bool { return ready(n).Status == v1.ConditionTrue })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if dongles := node.Status.Allocatable["example.com/dongle"]; dongles.Value() != 3 {
		t.Errorf("allocatable is %v", node.Status.Allocatable)
	}
	if node.Labels["mine"] != "kept" || node.Labels[v1.LabelOSStable] != "linux" || !node.Spec.Unschedulable {
		t.Errorf("node is %+v", node)
	}
}

func ready(n *v1.Node) v1.NodeCondition {
	for _, c := range n.Status.Conditions {
		if c.Type == v1.NodeReady {
			return c
		}
	}
	return v1.NodeCondition{}
}

func wait(t *testing.T, c client.Client, ok func(*v1.Node) bool) *v1.Node {
	t.Helper()
	return waitTable(t, c, "nodes", func() *v1.Node {
		n, found := client.Get[*v1.Node](c.View(), "nodes", "", "n1")
		if !found || !ok(n) {
			return nil
		}
		return n
	})
}

func waitLease(t *testing.T, c client.Client, renewed time.Time) *coordinationv1.Lease {
	t.Helper()
	return waitTable(t, c, "leases.coordination.k8s.io", func() *coordinationv1.Lease {
		l, found := client.Get[*coordinationv1.Lease](c.View(), "leases.coordination.k8s.io", v1.NamespaceNodeLease, "n1")
		if !found || !l.Spec.RenewTime.Time.Equal(renewed) {
			return nil
		}
		return l
	})
}

func waitTable[T any](t *testing.T, c client.Client, table string, get func() *T) *T {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	watcher, err := c.Watch(table, c.View())
	if err != nil {
		t.Fatal(err)
	}
	for {
		if found := get(); found != nil {
			return found
		}
		if _, err := watcher.Next(ctx); err != nil {
			t.Fatalf("wait for %s: %v", table, err)
		}
	}
}
