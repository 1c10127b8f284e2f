package node_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"proa/client"
	"proa/client/fake"
	"proa/kinds"
	"proa/kinds/coordination"
	"proa/kinds/core"
	"proa/node"
	"proa/node/cgroup"
	"proa/node/image"
	"proa/node/runtime/runtimetest"
)

const (
	toolImage = "proa.local/tool:1"
	patience  = 30 * time.Second
	plugins   = "/usr/lib/cni" // where Debian's containernetworking-plugins are
)

// agent is a whole node agent on a real runtime, with an API in memory.
type agent struct {
	testing.TB
	client  client.Client
	runtime *runtimetest.Node
	config  node.Config
	stop    func()
}

// network gives the runtime a point-to-point network: it leaves nothing behind when its pods are gone.
func network(t testing.TB, dir string) {
	t.Helper()
	for _, name := range []string{"loopback", "ptp", "host-local"} {
		if _, err := os.Stat(filepath.Join(plugins, name)); err != nil {
			t.Skipf("no CNI plugins: %v", err)
		}
	}
	if err := os.Symlink(plugins, filepath.Join(dir, "cni")); err != nil {
		t.Fatal(err)
	}
	conflist := `{"cniVersion":"1.0.0","name":"test","plugins":[{"type":"ptp","ipam":{"type":"host-local","subnet":"198.18.77.0/24","dataDir":"` + dir + `/ipam"}}]}`
	if err := os.MkdirAll(filepath.Join(dir, "net.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "net.d", "10-test.conflist"), []byte(conflist), 0o644); err != nil {
		t.Fatal(err)
	}
}

func start(t testing.TB) *agent {
	t.Helper()
	runtime := runtimetest.Start(t)
	network(t, runtime.Dir)
	if _, err := runtime.Images.Build(t.Context(), "run/testdata/tool", toolImage, image.Options{}); err != nil {
		t.Fatal(err)
	}
	table := kinds.New(core.Pod(), core.Node(), core.Event(), core.ConfigMap(), core.Secret(), core.Service(), coordination.Lease())
	a := &agent{TB: t, runtime: runtime, client: fake.New(fake.Config{Kinds: table}).As("system:node:here")}
	root := "/proatest-" + filepath.Base(runtime.Dir)
	a.config = node.Config{
		Name: "here", Client: a.client, RuntimeEndpoint: "unix://" + runtime.Runtime.Socket(), DataDir: filepath.Join(runtime.Dir, "agent"),
		LogDir: filepath.Join(runtime.Dir, "logs"), CgroupRoot: root, IPs: []string{"192.0.2.7"}, Port: 10250, Version: "v1.36.3",
		ClusterDomain: "cluster.local", Log: slog.New(slog.NewTextHandler(logTo{t}, nil)),
	}
	t.Cleanup(func() {
		if err := cgroup.New(root).RemoveAll(context.Background()); err != nil {
			t.Error(err)
		}
	})
	a.run()
	t.Cleanup(a.clear)
	return a
}

type logTo struct{ testing.TB }

func (l logTo) Write(line []byte) (int, error) {
	l.Logf("%s", strings.TrimSpace(string(line)))
	return len(line), nil
}

func (a *agent) run() {
	a.Helper()
	made, err := node.New(a.config)
	if err != nil {
		a.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- made.Run(ctx) }()
	a.stop = func() {
		cancel()
		if err := <-done; err != nil {
			a.Error(err)
		}
	}
}

// clear deletes all pods and stops the agent.
func (a *agent) clear() {
	zero := int64(0)
	for p := range client.List[*v1.Pod](a.client.View(), "pods", "") {
		if err := a.client.Delete(context.Background(), client.RefOf("pods", p), metav1.DeleteOptions{GracePeriodSeconds: &zero}); err != nil {
			a.Error(err)
		}
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		list, err := a.runtime.Containers.ListPodSandbox(context.Background(), &runtimeapi.ListPodSandboxRequest{})
		if err == nil && len(list.Items) == 0 {
			break
		}
	}
	a.stop()
}

func (a *agent) wait(table, namespace, name, wanted string, ok func(client.Object) bool) client.Object {
	a.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	watcher, err := a.client.Watch(table, a.client.View())
	if err != nil {
		a.Fatal(err)
	}
	for {
		o := a.client.View().Get(client.Ref{Table: table, Namespace: namespace, Name: name})
		if o != nil && ok(o) {
			return o
		}
		if _, err := watcher.Next(ctx); err != nil {
			a.Fatalf("%s %s is not %s: %v\n%s", table, name, wanted, err, statusOf(o))
		}
	}
}

func statusOf(o client.Object) []byte {
	text, err := json.Marshal(o)
	if err != nil {
		return []byte(err.Error())
	}
	return text
}

func (a *agent) create(table string, o client.Object) {
	a.Helper()
	if _, err := a.client.Create(context.Background(), client.Ref{Table: table}, "", o, metav1.CreateOptions{}); err != nil {
		a.Fatal(err)
	}
}

func podReady(o client.Object) bool {
	for _, c := range o.(*v1.Pod).Status.Conditions {
		if c.Type == v1.PodReady {
			return c.Status == v1.ConditionTrue
		}
	}
	return false
}

func nodeReady(o client.Object) bool {
	for _, c := range o.(*v1.Node).Status.Conditions {
		if c.Type == v1.NodeReady {
			return c.Status == v1.ConditionTrue
		}
	}
	return false
}

// TestAgent runs a pod with a network, volumes and probes of its own, and lets another agent take it over.
func TestAgent(t *testing.T) {
	a := start(t)
	a.wait("nodes", "", "here", "ready", nodeReady)
	a.create("configmaps", &v1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "settings"}, Data: map[string]string{"color": "blue"}})
	shared := []v1.VolumeMount{{Name: "shared", MountPath: "/shared"}, {Name: "settings", MountPath: "/settings"}}
	a.create("pods", &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web"},
		Spec: v1.PodSpec{
			NodeName: "here", AutomountServiceAccountToken: new(bool),
			Volumes: []v1.Volume{
				{Name: "shared", VolumeSource: v1.VolumeSource{EmptyDir: &v1.EmptyDirVolumeSource{}}},
				{Name: "settings", VolumeSource: v1.VolumeSource{ConfigMap: &v1.ConfigMapVolumeSource{LocalObjectReference: v1.LocalObjectReference{Name: "settings"}}}},
			},
			InitContainers: []v1.Container{{Name: "first", Image: toolImage, Args: []string{"touch", "/shared/made"}, VolumeMounts: shared}},
			Containers: []v1.Container{
				{Name: "web", Image: toolImage, Args: []string{"serve", ":8080"}, VolumeMounts: shared, ReadinessProbe: &v1.Probe{
					ProbeHandler: v1.ProbeHandler{HTTPGet: &v1.HTTPGetAction{Path: "/", Port: intstr.FromInt32(8080)}}, PeriodSeconds: 1, FailureThreshold: 3, SuccessThreshold: 1, TimeoutSeconds: 1}},
				{Name: "side", Image: toolImage, Args: []string{"wait"}, VolumeMounts: shared, StartupProbe: &v1.Probe{
					ProbeHandler: v1.ProbeHandler{Exec: &v1.ExecAction{Command: []string{"/tool", "cat", "/shared/made", "/settings/color", "/etc/hosts"}}}, PeriodSeconds: 1, FailureThreshold: 3, SuccessThreshold: 1, TimeoutSeconds: 1}},
			},
		},
	})
	web := a.wait("pods", "default", "web", "ready", podReady).(*v1.Pod)
	if !strings.HasPrefix(web.Status.PodIP, "198.18.77.") || web.Status.Phase != v1.PodRunning {
		t.Errorf("status is %+v", web.Status)
	}
	a.stop()
	a.run()
	a.create("pods", &v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "later"},
		Spec: v1.PodSpec{NodeName: "here", Containers: []v1.Container{{Name: "c", Image: toolImage, Args: []string{"wait"}}}}})
	a.wait("pods", "default", "later", "ready", podReady)
	after := a.wait("pods", "default", "web", "ready", podReady).(*v1.Pod)
	for i := range after.Status.ContainerStatuses {
		if was, is := web.Status.ContainerStatuses[i], after.Status.ContainerStatuses[i]; was.ContainerID != is.ContainerID || is.RestartCount != 0 {
			t.Errorf("container was %+v, is %+v", was, is)
		}
	}
}
