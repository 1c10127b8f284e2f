package run_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"proa/client"
	"proa/client/fake"
	"proa/kinds"
	"proa/kinds/core"
	"proa/node/cgroup"
	"proa/node/cri"
	"proa/node/image"
	"proa/node/pod"
	"proa/node/run"
	"proa/node/runtime/runtimetest"
)

const (
	nodeName  = "here"
	toolImage = "proa.local/tool:1"
	patience  = 30 * time.Second
)

// cluster is a real runtime, an API in memory, and an agent's core between the two.
type cluster struct {
	testing.TB            // of the scenario
	whole      testing.TB // outlives the scenarios: for the agent's log
	api        *fake.API
	client     client.Client
	runtime    *runtimetest.Node
	settings   *cri.Settings
	cgroups    *cgroup.Groups
	volumes    *volumes
	probes     chan pod.ProbeResult
	runner     *run.Runner
	stop       func()
	starting   atomic.Pointer[func(containerID string)] // called when a container is about to be started
	cutOff     atomic.Int32                             // starts that were cut off half way
}

// volumes is a Volumes with nothing in it.
type volumes struct{ fail chan error }

func (v *volumes) Prepare(_ context.Context, p *v1.Pod) (map[string]string, error) {
	select {
	case err := <-v.fail:
		return nil, err
	default:
		return map[string]string{}, nil
	}
}
func (v *volumes) Mounts(*v1.Pod, *v1.Container, map[string]string) ([]*runtimeapi.Mount, error) {
	return nil, nil
}
func (v *volumes) Release(context.Context, types.UID) error { return nil }

// watched is a runtime that tells the cluster what it is about to do.
type watched struct {
	*cri.Client
	cluster *cluster
}

func (w watched) StartContainer(ctx context.Context, id string) error {
	if starting := w.cluster.starting.Load(); starting != nil {
		(*starting)(id)
	}
	before := ctx.Err()
	err := w.Client.StartContainer(ctx, id)
	if err != nil && before == nil && ctx.Err() != nil {
		w.cluster.cutOff.Add(1)
	}
	return err
}

type probes chan pod.ProbeResult

func (p probes) Watch(*v1.Pod, string, string, time.Time, string) {}
func (p probes) ForgetContainer(types.UID, string)                {}
func (p probes) Forget(types.UID)                                 {}
func (p probes) Results() <-chan pod.ProbeResult                  { return p }

// start gives the test a node; the agent's core runs.
func start(t testing.TB) *cluster {
	runtime := runtimetest.Start(t)
	_, err := runtime.Images.Build(t.Context(), "testdata/tool", toolImage, image.Options{})
	if err != nil {
		t.Fatal(err)
	}
	root := "/proatest-" + filepath.Base(runtime.Dir)
	c := &cluster{TB: t, whole: t, runtime: runtime, cgroups: cgroup.New(root), volumes: &volumes{fail: make(chan error, 1)}, probes: make(chan pod.ProbeResult)}
	if err := c.cgroups.Prepare(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.cgroups.RemoveAll(context.Background()); err != nil {
			t.Error(err)
		}
	})
	c.api = fake.New(fake.Config{Kinds: kinds.New(core.Pod(), core.Node(), core.Event(), core.ConfigMap(), core.Secret(), core.Service())})
	c.client = c.api.As("system:node:" + nodeName)
	c.settings = &cri.Settings{
		NodeName: nodeName, HostIPs: []string{"192.0.2.7"}, LogRoot: filepath.Join(runtime.Dir, "logs"), PodRoot: filepath.Join(runtime.Dir, "pods"),
		SeccompRoot: runtime.Dir, ClusterDNS: []string{"10.96.0.10"}, ClusterDomain: "cluster.local", MemoryCapacity: 1 << 33, CgroupParent: c.cgroups.Path,
		Allocatable: v1.ResourceList{},
	}
	c.startAgent()
	t.Cleanup(c.removePods)
	return c
}

func (c *cluster) startAgent() {
	c.Helper()
	runtime, err := cri.New(c.runtime.Runtime.Socket())
	if err != nil {
		c.Fatal(err)
	}
	level := slog.LevelInfo
	if testing.Verbose() {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(logTo{c.whole}, &slog.HandlerOptions{Level: level}))
	events := run.NewEvents(c.client, nodeName, log)
	c.runner = run.New(run.Config{
		NodeName: nodeName, Client: c.client, Runtime: watched{runtime, c}, Settings: c.settings, Cgroups: c.cgroups, Volumes: c.volumes,
		Probes: probes(c.probes), Events: events, Log: log,
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- c.runner.Run(ctx) }()
	go func() { done <- events.Run(ctx) }()
	c.stop = func() {
		cancel()
		if err := errors.Join(<-done, <-done, runtime.Close()); err != nil {
			c.Error(err)
		}
		c.stop = func() {}
	}
}

type logTo struct{ testing.TB }

func (l logTo) Write(line []byte) (int, error) {
	l.Logf("%s", strings.TrimSpace(string(line)))
	return len(line), nil
}

// removePods deletes what the test left, and checks that the node is then empty.
func (c *cluster) removePods() {
	for p := range client.List[*v1.Pod](c.client.View(), "pods", "") {
		c.delete(p.Name, 0)
	}
	empty := func() bool { return len(c.runner.Pods()) == 0 }
	deadline := time.Now().Add(patience)
	for !empty() && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
	}
	c.stop()
	for _, dir := range []string{c.settings.PodRoot, c.settings.LogRoot} {
		if entries, _ := os.ReadDir(dir); len(entries) > 0 {
			c.Errorf("%s still holds %v", dir, entries)
		}
	}
	list, err := c.runtime.Containers.ListPodSandbox(context.Background(), &runtimeapi.ListPodSandboxRequest{})
	if err != nil || len(list.Items) > 0 {
		c.Errorf("sandboxes are left: %v %v", list.GetItems(), err)
	}
}

// create makes a pod with one container that runs the tool, changed by the functions given.
func (c *cluster) create(name string, args []string, change ...func(*v1.Pod)) {
	c.Helper()
	p := &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec: v1.PodSpec{
			NodeName: nodeName, HostNetwork: true, RestartPolicy: v1.RestartPolicyAlways,
			Containers: []v1.Container{{Name: "main", Image: toolImage, Args: args}},
		},
	}
	for _, f := range change {
		f(p)
	}
	if _, err := c.client.Create(context.Background(), client.Ref{Table: "pods"}, "", p, metav1.CreateOptions{}); err != nil {
		c.Fatal(err)
	}
}

func never(p *v1.Pod) { p.Spec.RestartPolicy = v1.RestartPolicyNever }

func (c *cluster) delete(name string, grace int64) {
	c.Helper()
	opts := metav1.DeleteOptions{GracePeriodSeconds: &grace}
	if err := c.client.Delete(context.Background(), client.Ref{Table: "pods", Namespace: "default", Name: name}, opts); err != nil {
		c.Fatal(err)
	}
}

func (c *cluster) pod(name string) *v1.Pod {
	p, _ := client.Get[*v1.Pod](c.client.View(), "pods", "default", name)
	return p
}

// wait returns the pod once it is as wanted; nil once it is gone.
func (c *cluster) wait(name, wanted string, ok func(*v1.Pod) bool) *v1.Pod {
	c.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	view := c.client.View()
	watcher, err := c.client.Watch("pods", view)
	if err != nil {
		c.Fatal(err)
	}
	for {
		p := c.pod(name)
		if ok(p) {
			return p
		}
		if _, err := watcher.Next(ctx); err != nil {
			c.Fatalf("pod %s is not %s: %v\n%+v\nevents: %s", name, wanted, err, p.Status, strings.Join(c.events(name), "\n"))
		}
	}
}

func (c *cluster) waitPhase(name string, phase v1.PodPhase) *v1.Pod {
	c.Helper()
	return c.wait(name, string(phase), func(p *v1.Pod) bool { return p != nil && p.Status.Phase == phase })
}

func (c *cluster) waitReady(name string) *v1.Pod {
	c.Helper()
	return c.wait(name, "ready", func(p *v1.Pod) bool { return p != nil && condition(p, v1.PodReady) == v1.ConditionTrue })
}

func (c *cluster) waitGone(name string) {
	c.Helper()
	c.wait(name, "gone", func(p *v1.Pod) bool { return p == nil })
}

func condition(p *v1.Pod, t v1.PodConditionType) v1.ConditionStatus {
	for _, cond := range p.Status.Conditions {
		if cond.Type == t {
			return cond.Status
		}
	}
	return ""
}

// events lists a pod's events as "Reason: message".
func (c *cluster) events(name string) []string {
	var all []*v1.Event
	for e := range client.List[*v1.Event](c.client.View(), "events", "default") {
		if e.InvolvedObject.Name == name {
			all = append(all, e)
		}
	}
	slices.SortStableFunc(all, func(a, b *v1.Event) int { return strings.Compare(a.Name, b.Name) })
	var lines []string
	for _, e := range all {
		lines = append(lines, e.Reason+": "+e.Message)
	}
	return lines
}

// log reads what a container printed in its first or only attempt.
func (c *cluster) log(p *v1.Pod, container string) string {
	c.Helper()
	text, err := os.ReadFile(filepath.Join(c.settings.LogDir(p), container, "0.log"))
	if err != nil {
		c.Fatal(err)
	}
	var out strings.Builder
	for line := range strings.Lines(string(text)) {
		if parts := strings.SplitN(line, " ", 4); len(parts) == 4 {
			out.WriteString(parts[3])
		}
	}
	return out.String()
}

// waitEvent waits for an event of a pod, as "Reason: message".
func (c *cluster) waitEvent(name, line string) {
	c.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	watcher, err := c.client.Watch("events", c.client.View())
	if err != nil {
		c.Fatal(err)
	}
	for !slices.Contains(c.events(name), line) {
		if _, err := watcher.Next(ctx); err != nil {
			c.Fatalf("no event %q of %s: %v\nbut: %s", line, name, err, strings.Join(c.events(name), "\n"))
		}
	}
}

// waitFor asks again and again: for what tells nobody when it changes.
func (c *cluster) waitFor(what string, ok func() bool) {
	c.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			c.Fatalf("waited too long for %s", what)
		}
	}
}

// containers counts what the runtime has of a pod.
func (c *cluster) containers(uid string) int {
	c.Helper()
	filter := &runtimeapi.ContainerFilter{LabelSelector: map[string]string{"io.kubernetes.pod.uid": uid}}
	list, err := c.runtime.Containers.ListContainers(context.Background(), &runtimeapi.ListContainersRequest{Filter: filter})
	if err != nil {
		c.Fatal(err)
	}
	return len(list.Containers)
}

func (c *cluster) put(table string, o client.Object) {
	c.Helper()
	if _, err := c.client.Create(context.Background(), client.Ref{Table: table}, "", o, metav1.CreateOptions{}); err != nil {
		c.Fatal(err)
	}
}

var errVolume = errors.New(`MountVolume.SetUp failed for volume "v" : not yet`)

func ptr[T any](v T) *T { return &v }
