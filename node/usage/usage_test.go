package usage_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/node/cri"
	"proa/node/evict"
	"proa/node/usage"
)

// runtime is a container runtime that can be down.
type runtime struct {
	used map[types.UID]cri.PodUsage
	dir  string
	err  error
}

func (r *runtime) Usage(context.Context) (map[types.UID]cri.PodUsage, error) { return r.used, r.err }
func (r *runtime) ImageDir(context.Context) (string, error)                  { return r.dir, r.err }

func meter(t *testing.T) (*usage.Meter, *runtime, string) {
	dir := t.TempDir()
	r := &runtime{dir: dir}
	return usage.New(usage.Config{DataDir: dir, Runtime: r,
		PodDir: func(uid types.UID) string { return filepath.Join(dir, "pods", string(uid)) },
		LogDir: func(p *v1.Pod) string { return filepath.Join(dir, "logs", string(p.UID)) },
	}), r, dir
}

func TestLevels(t *testing.T) {
	m, r, _ := meter(t)
	r.err = errors.New("down")
	levels := m.Levels(t.Context())
	for _, signal := range []evict.Signal{evict.MemoryAvailable, evict.PIDAvailable, evict.NodeFSAvailable} {
		if l := levels[signal]; l.Available <= 0 || l.Available > l.Capacity {
			t.Errorf("%s is %+v", signal, l)
		}
	}
	if _, known := levels[evict.ImageFSAvailable]; known {
		t.Error("the file system of images is known although the runtime is down")
	}
	r.err = nil
	if levels = m.Levels(t.Context()); levels[evict.ImageFSAvailable].Capacity != levels[evict.NodeFSAvailable].Capacity {
		t.Errorf("one file system measured twice differs: %+v", levels)
	}
	if apart, err := m.ImagesApart(t.Context()); apart || err != nil {
		t.Errorf("images are apart: %v, %v", apart, err)
	}
	m, r, _ = meter(t)
	r.dir = "/proc"
	if apart, err := m.ImagesApart(t.Context()); !apart || err != nil {
		t.Errorf("images are apart: %v, %v", apart, err)
	}
}

func write(t *testing.T, size int, path ...string) string {
	t.Helper()
	file := filepath.Join(path...)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, make([]byte, size), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestUsage(t *testing.T) {
	const mi = 1 << 20
	m, r, dir := meter(t)
	r.used = map[types.UID]cri.PodUsage{"a": {Memory: 7, Processes: 3, Containers: []cri.ContainerUsage{{Name: "main", Memory: 5, LayerBytes: 11, LayerInodes: 2}}}}
	pod := filepath.Join(dir, "pods", "a")
	volume := filepath.Join(pod, "volumes", "kubernetes.io~empty-dir", "box")
	elsewhere := write(t, 64*mi, dir, "elsewhere", "file")
	first := write(t, mi, volume, "deep", "file")
	write(t, mi, pod, "etc-hosts")
	write(t, mi, pod, "volume-subpaths", "box", "main", "0") // another mount of what is counted elsewhere
	write(t, mi, dir, "logs", "a", "main", "0.log")
	write(t, mi, dir, "logs", "a", "before", "0.log")
	if err := errors.Join(os.Link(first, filepath.Join(volume, "same")), os.Symlink(filepath.Dir(elsewhere), filepath.Join(volume, "away"))); err != nil {
		t.Fatal(err)
	}
	all, err := m.Usage(t.Context(), []*v1.Pod{{ObjectMeta: metav1.ObjectMeta{UID: "a"}}, {ObjectMeta: metav1.ObjectMeta{UID: "b"}}}, true)
	if err != nil {
		t.Fatal(err)
	}
	a, b := all[0], all[1]
	if !a.Known || a.Memory != 7 || a.Processes != 3 || a.Containers[0].Layer != (evict.Disk{Bytes: 11, Inodes: 2}) {
		t.Errorf("from the runtime: %+v", a)
	}
	for what, d := range map[string]evict.Disk{"volume": a.Volumes["box"], "logs": a.Containers[0].Logs} {
		if d.Bytes < mi || d.Bytes >= 2*mi {
			t.Errorf("%s holds %d bytes", what, d.Bytes)
		}
	}
	if a.Volumes["box"].Inodes != 4 { // the volume, a folder, a file with two names, a link
		t.Errorf("volume holds %d inodes", a.Volumes["box"].Inodes)
	}
	if a.Rest.Bytes < 2*mi || a.Rest.Bytes >= 3*mi {
		t.Errorf("hosts file and old logs hold %d bytes", a.Rest.Bytes)
	}
	if b.Known || len(b.Containers) > 0 {
		t.Errorf("of a pod that the runtime does not have: %+v", b)
	}
	r.err = errors.New("down")
	if _, err := m.Usage(t.Context(), nil, false); !errors.Is(err, r.err) {
		t.Errorf("error is %v", err)
	}
}
