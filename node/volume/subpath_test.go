package volume_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
	v1 "k8s.io/api/core/v1"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func subPathPod(n *node, host string, subPaths ...string) *v1.Pod {
	n.t.Helper()
	pod := n.pod("volumes: [{name: v, hostPath: {path: " + host + "}}]\ncontainers: [{name: c, image: x}]")
	for _, subPath := range subPaths {
		pod.Spec.Containers[0].VolumeMounts = append(pod.Spec.Containers[0].VolumeMounts, v1.VolumeMount{Name: "v", MountPath: "/m", SubPath: subPath})
	}
	return pod
}

func (n *node) mounts(pod *v1.Pod) ([]*runtimeapi.Mount, error) {
	n.t.Helper()
	return n.Mounts(pod, &pod.Spec.Containers[0], n.prepare(pod))
}

func TestSubPathsStayBeneathTheirVolume(t *testing.T) {
	n := newNode(t)
	host := t.TempDir()
	for link, to := range map[string]string{"absolute": "/etc", "up": "../..", "magic": "/proc/self/root", "inside": "real", "loop": "loop", "dangling": "/nonexistent"} {
		if err := os.Symlink(to, filepath.Join(host, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(host, "real"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, escape := range []string{"absolute", "absolute/passwd", "up", "up/etc", "magic", "magic/etc", "loop", "dangling", "dangling/x", "../x", "a/../../x", "/etc"} {
		if mounts, err := n.mounts(subPathPod(n, host, escape)); err == nil {
			t.Errorf("%s was mounted: %v", escape, mounts)
		} else if want := `failed to prepare subPath for volumeMount "v" of container "c"`; err.Error() != want {
			t.Errorf("%s: %v", escape, err)
		}
	}
	mounts, err := n.mounts(subPathPod(n, host, "inside", "new/dir"))
	if err != nil {
		t.Fatal(err)
	}
	for i, real := range []string{"real", "new/dir"} {
		if !sameFile(t, mounts[i].HostPath, filepath.Join(host, real)) {
			t.Errorf("%s is another directory", real)
		}
	}
}

func sameFile(t *testing.T, a, b string) bool {
	t.Helper()
	first, err := os.Stat(a)
	if err != nil {
		t.Fatal(err)
	}
	second, err := os.Stat(b)
	if err != nil {
		t.Fatal(err)
	}
	return os.SameFile(first, second)
}

// TestSubPathRace swaps a directory and a link to the host's root while the path through it is mounted, again and again.
func TestSubPathRace(t *testing.T) {
	n := newNode(t)
	host := t.TempDir()
	inside, outside := filepath.Join(host, "swap"), filepath.Join(host, "other")
	if err := os.MkdirAll(filepath.Join(inside, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/", outside); err != nil {
		t.Fatal(err)
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:

				renameat2(inside, outside, unix.RENAME_EXCHANGE)
			}
		}
	}()
	pod := subPathPod(n, host, "swap/etc")
	mounted, refused := 0, 0
	for mounted < 100 || refused < 100 {
		if t.Context().Err() != nil {
			t.Fatal("the path was never there, or always")
		}
		mounts, err := n.mounts(pod)
		if err != nil {
			refused++
			continue
		}
		mounted++
		if sameFile(t, mounts[0].HostPath, "/etc") {
			t.Fatal("the host's /etc was mounted")
		}
	}
	close(stop)
	<-done
}

func TestReleaseSparesWhatSubPathsCameFrom(t *testing.T) {
	n := newNode(t)
	host := t.TempDir()
	for _, file := range []string{"precious/file", "precious/mounted/file"} {
		if err := os.MkdirAll(filepath.Join(host, filepath.Dir(file)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(host, file), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// A mount within what is bound must survive as well.
	inner := filepath.Join(host, "precious", "mounted")
	if err := syscall.Mount("tmpfs", inner, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	defer syscall.Unmount(inner, 0)
	if err := os.WriteFile(filepath.Join(inner, "there"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	pod := subPathPod(n, host, "precious", "precious/file")
	for range 2 { // the second is a restart of the container
		mounts, err := n.mounts(pod)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(mounts[1].HostPath); err != nil || !info.Mode().IsRegular() {
			t.Errorf("the file is mounted as %v, %v", info, err)
		}
	}
	if err := n.Release(t.Context(), pod.UID); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"precious/file", "precious/mounted/there"} {
		if _, err := os.Stat(filepath.Join(host, file)); err != nil {
			t.Errorf("release reached into the host: %v", err)
		}
	}
	if mounts, _ := os.ReadFile("/proc/self/mountinfo"); strings.Contains(string(mounts), n.root) {
		t.Error("mounts are left")
	}
}

func TestMountsSayWhatContainersMayDo(t *testing.T) {
	n := newNode(t)
	n.configMap("settings", map[string]string{"one": "1"})
	pod := n.pod(`
volumes: [{name: e, emptyDir: {}}, {name: m, configMap: {name: settings}}]
containers:
- name: c
  image: x
  volumeMounts:
  - {name: e, mountPath: relative}
  - {name: e, mountPath: /ro, readOnly: true, recursiveReadOnly: Enabled}
  - {name: e, mountPath: /shared, mountPropagation: Bidirectional}
  - {name: m, mountPath: /m, mountPropagation: HostToContainer}
  - {name: m, mountPath: /m/one, subPath: one}`)
	mounts, err := n.mounts(pod)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, m := range mounts {
		out.WriteString(strings.Join(strings.Fields(strings.ReplaceAll(m.String(), n.root+"/"+string(pod.UID), "POD")), " ") + "\n")
	}
	expect(t, out.String(), `container_path:"/relative" host_path:"POD/volumes/kubernetes.io~empty-dir/e"
container_path:"/ro" host_path:"POD/volumes/kubernetes.io~empty-dir/e" readonly:true recursive_read_only:true
container_path:"/shared" host_path:"POD/volumes/kubernetes.io~empty-dir/e" propagation:PROPAGATION_BIDIRECTIONAL
container_path:"/m" host_path:"POD/volumes/kubernetes.io~configmap/m" readonly:true propagation:PROPAGATION_HOST_TO_CONTAINER
container_path:"/m/one" host_path:"POD/volume-subpaths/m/c/4" readonly:true
`)
	pod.Spec.Containers[0].VolumeMounts[0].Name = "gone"
	if _, err := n.mounts(pod); err == nil || err.Error() != `cannot find volume "gone" to mount into container "c"` {
		t.Errorf("err = %v", err)
	}
}

func renameat2(from, to string, flags uint) {
	_ = unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, flags)
}
