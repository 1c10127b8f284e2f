// Package runtimetest gives tests a real containerd of their own: in temporary directories, without a network plugin, gone
// with the test. Tests skip, with the reason, where root or the runtime bundle is missing.
package runtimetest

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"proa/node/image"
	"proa/node/runtime"
)

// Node is a containerd that runs, and what tests ask it.
type Node struct {
	Runtime    *runtime.Runtime
	Images     *image.Store
	Containers runtimeapi.RuntimeServiceClient
	ImageInfo  runtimeapi.ImageServiceClient
	Dir        string
}

// Bundle is the directory with containerd, its shim, runc and ctr: PROA_BUNDLE or the module's bin/bundle. "" means PATH.
func Bundle() string {
	if dir := os.Getenv("PROA_BUNDLE"); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	for err == nil && dir != "/" {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "bin", "bundle")
		}
		dir = filepath.Dir(dir)
	}
	return ""
}

// Need skips the test when this machine cannot run containers.
func Need(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("containers need root")
	}
	if testing.Short() {
		t.Skip("starts containers: not part of the short tests")
	}
	programs, err := runtime.Find(t.Context(), Bundle())
	if err != nil {
		t.Skipf("no runtime bundle (PROA_BUNDLE names one): %v", err)
	}
	if programs.Ctr == "" {
		t.Skip("no ctr in the runtime bundle (PROA_BUNDLE names one)")
	}
}

// Config is the configuration that Start uses, in a directory of the test. Paths are short: socket paths are limited.
func Config(t testing.TB) runtime.Config {
	t.Helper()
	dir, err := os.MkdirTemp("", "proa")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return runtime.Config{
		BundleDir: Bundle(), DataDir: filepath.Join(dir, "data"), StateDir: filepath.Join(dir, "run"),
		CNIBinDir: filepath.Join(dir, "cni"), CNIConfDir: filepath.Join(dir, "net.d"), SandboxImage: image.PauseImage,
		Log: slog.New(slog.NewTextHandler(testWriter{t}, nil)),
	}
}

// Start gives the test a running containerd that has the sandbox image.
func Start(t testing.TB) *Node {
	t.Helper()
	Need(t)
	cfg := Config(t)
	r, err := runtime.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	// Registered first, so that everything else that the test registers runs before it.
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := r.Uninstall(ctx, 0); err != nil {
			t.Error(err)
		}
	})
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return connect(t, r, filepath.Dir(cfg.DataDir), cfg.Log)
}

func connect(t testing.TB, r *runtime.Runtime, dir string, log *slog.Logger) *Node {
	t.Helper()
	conn, err := grpc.NewClient("unix://"+r.Socket(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	n := &Node{Runtime: r, Dir: dir, Containers: runtimeapi.NewRuntimeServiceClient(conn), ImageInfo: runtimeapi.NewImageServiceClient(conn)}
	n.Images = image.New(image.Config{Ctr: r.Programs().Ctr, Socket: r.Socket(), Log: log, Images: n.listImages})
	if err := n.Images.EnsurePause(t.Context()); err != nil {
		t.Fatal(err)
	}
	return n
}

func (n *Node) listImages(ctx context.Context) ([]*runtimeapi.Image, error) {
	response, err := n.ImageInfo.ListImages(ctx, &runtimeapi.ListImagesRequest{})
	return response.GetImages(), err
}

// Sandbox starts a pod sandbox in the host's network: no CNI plugin is needed.
func (n *Node) Sandbox(t testing.TB, name string, namespaces *runtimeapi.NamespaceOption) (string, *runtimeapi.PodSandboxConfig) {
	t.Helper()
	if namespaces == nil {
		namespaces = &runtimeapi.NamespaceOption{Pid: runtimeapi.NamespaceMode_CONTAINER}
	}
	namespaces.Network = runtimeapi.NamespaceMode_NODE
	config := &runtimeapi.PodSandboxConfig{
		Metadata:     &runtimeapi.PodSandboxMetadata{Name: name, Namespace: "default", Uid: name + "-uid"},
		LogDirectory: filepath.Join(n.Dir, "logs", name),
		Linux: &runtimeapi.LinuxPodSandboxConfig{
			CgroupParent:    "/proatest-" + filepath.Base(n.Dir),
			SecurityContext: &runtimeapi.LinuxSandboxSecurityContext{NamespaceOptions: namespaces},
		},
	}
	if err := os.MkdirAll(config.LogDirectory, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeCgroups(config.Linux.CgroupParent) })
	started, err := n.Containers.RunPodSandbox(t.Context(), &runtimeapi.RunPodSandboxRequest{Config: config})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		request := &runtimeapi.RemovePodSandboxRequest{PodSandboxId: started.PodSandboxId}
		// A test may have taken the sandbox away, or the whole runtime.
		_, _ = n.Containers.RemovePodSandbox(context.Background(), request, grpc.WaitForReady(false))
	})
	return started.PodSandboxId, config
}

// Container starts a container of an image in a sandbox and returns its id and its log file.
func (n *Node) Container(t testing.TB, sandbox string, pod *runtimeapi.PodSandboxConfig, config *runtimeapi.ContainerConfig) (id, log string) {
	t.Helper()
	config.LogPath = config.Metadata.Name + ".log"
	if config.Linux == nil {
		config.Linux = &runtimeapi.LinuxContainerConfig{SecurityContext: &runtimeapi.LinuxContainerSecurityContext{
			NamespaceOptions: pod.Linux.SecurityContext.NamespaceOptions}}
	}
	created, err := n.Containers.CreateContainer(t.Context(), &runtimeapi.CreateContainerRequest{PodSandboxId: sandbox, Config: config, SandboxConfig: pod})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Containers.StartContainer(t.Context(), &runtimeapi.StartContainerRequest{ContainerId: created.ContainerId}); err != nil {
		t.Fatal(err)
	}
	return created.ContainerId, filepath.Join(pod.LogDirectory, config.LogPath)
}

// WaitExited returns when a container has ended.
func (n *Node) WaitExited(t testing.TB, id string) {
	t.Helper()
	events, err := n.Containers.GetContainerEvents(t.Context(), &runtimeapi.GetEventsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for {
		status, err := n.Containers.ContainerStatus(t.Context(), &runtimeapi.ContainerStatusRequest{ContainerId: id})
		if err != nil {
			t.Fatal(err)
		}
		if status.Status.State == runtimeapi.ContainerState_CONTAINER_EXITED {
			return
		}
		if _, err := events.Recv(); err != nil {
			t.Fatal(err)
		}
	}
}

// removeCgroups removes the directories that runc made on the way to a container's own.
func removeCgroups(parent string) {
	for _, pattern := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/*"} {
		dirs, _ := filepath.Glob(pattern + parent)
		for _, dir := range dirs {
			_ = os.Remove(dir)
		}
	}
}

type testWriter struct{ testing.TB }

func (w testWriter) Write(line []byte) (int, error) {
	w.TB.Logf("%s", line)
	return len(line), nil
}
