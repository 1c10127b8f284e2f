package share_test

import (
	"archive/tar"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"proa/node/image"
	"proa/node/image/share"
	"proa/node/runtime/runtimetest"
)

// entry is a file of a layer; a name that ends with a slash is a directory.
type entry struct {
	name, content string
	mode          int64
	owner         int
}

// layers are two: the second takes a file away, hides what a directory held, and adds to both.
var layers = [][]entry{
	{{"etc/", "", 0o755, 0}, {"etc/gone", "x", 0o644, 0}, {"etc/stays", "first", 0o644, 0}, {"var/", "", 0o700, 7}, {"var/old", strings.Repeat("o", 1<<20), 0o640, 7}},
	{{"etc/.wh.gone", "", 0o644, 0}, {"var/", "", 0o700, 7}, {"var/.wh..wh..opq", "", 0o644, 0}, {"var/new", strings.Repeat("n", 1<<20), 0o640, 7}},
}

// writeArchive writes the layers as `docker save` would.
func writeArchive(t *testing.T, name string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "image.tar")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	archive := tar.NewWriter(out)
	add := func(name string, content []byte) {
		if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	var files, ids []string
	for i, layer := range layers {
		content := tarOf(t, layer)
		files, ids = append(files, fmt.Sprintf("%d.tar", i)), append(ids, fmt.Sprintf("sha256:%x", sha256.Sum256(content)))
		add(files[i], content)
	}
	add("config.json", fmt.Appendf(nil, `{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["%s"]}}`, strings.Join(ids, `","`)))
	add("manifest.json", fmt.Appendf(nil, `[{"Config":"config.json","RepoTags":[%q],"Layers":["%s"]}]`, name, strings.Join(files, `","`)))
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	return file
}

func tarOf(t *testing.T, entries []entry) []byte {
	t.Helper()
	var b strings.Builder
	w := tar.NewWriter(&b)
	for _, e := range entries {
		head := &tar.Header{Name: e.name, Mode: e.mode, Size: int64(len(e.content)), Uid: e.owner, Typeflag: tar.TypeReg}
		if strings.HasSuffix(e.name, "/") {
			head.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(head); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return []byte(b.String())
}

func open(t *testing.T, n *runtimetest.Node) *share.Store {
	t.Helper()
	s, err := share.Open(n.Runtime.Socket(), filepath.Join(n.Dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// stored lists the blobs, and what containers see of the layers, below a containerd's root: for each file its identity, for
// each directory its owner, mode, time and what overlayfs is told.
func stored(t *testing.T, n *runtimetest.Node) map[string]string {
	t.Helper()
	found := map[string]string{}
	blobs, err := filepath.Glob(filepath.Join(n.Dir, "data/io.containerd.content.v1.content/blobs/sha256/*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blobs {
		found["blob "+filepath.Base(b)] = identity(t, b)
	}
	roots, err := filepath.Glob(filepath.Join(n.Dir, "data/io.containerd.snapshotter.v1.overlayfs/snapshots/*/fs"))
	if err != nil {
		t.Fatal(err)
	}
	for _, root := range roots {
		for path, id := range tree(t, root) {
			found[path] = id
		}
	}
	return found
}

// tree names the files of a layer by what is in the layer, so that layers of two stores can be compared.
func tree(t *testing.T, root string) map[string]string {
	t.Helper()
	found := map[string]string{}
	var names []string
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		inside, _ := filepath.Rel(root, path)
		names = append(names, inside)
		found[inside] = identity(t, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]string{}
	for inside, id := range found {
		named[fmt.Sprintf("layer %v %s", names, inside)] = id
	}
	return named
}

func identity(t *testing.T, path string) string {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	stat := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() {
		return fmt.Sprintf("file %d:%d", stat.Dev, stat.Ino)
	}
	value := make([]byte, 8)
	n, err := unix.Lgetxattr(path, "trusted.overlay.opaque", value)
	if err != nil {
		n = 0
	}
	return fmt.Sprintf("directory %o %d:%d %d %q", stat.Mode, stat.Uid, stat.Gid, stat.Mtim.Nano(), value[:n])
}

func TestNothingIsStoredTwice(t *testing.T) {
	one, two := runtimetest.Start(t), runtimetest.Start(t)
	before := stored(t, two)
	names, err := one.Images.Load(t.Context(), writeArchive(t, "example.org/layers:1"))
	if err != nil {
		t.Fatal(err)
	}
	from, to := open(t, one), open(t, two)
	for range 2 { // once more changes nothing
		if err := share.Image(t.Context(), names[0], from, to); err != nil {
			t.Fatal(err)
		}
		if err := two.Images.WaitListed(t.Context(), names); err != nil {
			t.Fatal(err)
		}
		has, got := stored(t, one), stored(t, two)
		shared := 0
		for what, id := range got {
			switch {
			case before[what] != "": // the sandbox image's: each made it
			case has[what] != id:
				t.Errorf("%s: %s in the second store, %q in the first", what, id, has[what])
			default:
				shared++
			}
		}
		// Four blobs, six files and directories of the first layer, five of the second.
		if shared != 15 {
			t.Errorf("%d things are shared: %v", shared, keys(got))
		}
	}
	lost := "no such image"
	if err := share.Image(t.Context(), "example.org/none:1", from, to); !errors.Is(err, share.ErrUnknown) || !strings.Contains(err.Error(), lost) {
		t.Errorf("an image that nobody has: %v", err)
	}
}

// TestEachRemovesItAsItLikes: what one store removes, and collects, the other still runs.
func TestEachRemovesItAsItLikes(t *testing.T) {
	one, two := runtimetest.Start(t), runtimetest.Start(t)
	dir := filepath.Join(t.TempDir(), "hello")
	for name, content := range map[string]string{
		"go.mod": "module hello\n\ngo 1.24\n", "main.go": "package main\n\nfunc main() { println(\"hello from a pod\") }\n",
	} {
		if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	name, err := one.Images.Build(t.Context(), dir, "example.org/hello:1", image.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := share.Image(t.Context(), name, open(t, one), open(t, two)); err != nil {
		t.Fatal(err)
	}
	if err := two.Images.WaitListed(t.Context(), []string{name}); err != nil {
		t.Fatal(err)
	}
	remove(t, one, name)
	if left := stored(t, one); slices.ContainsFunc(keys(left), func(k string) bool { return strings.HasSuffix(k, " hello") }) {
		t.Errorf("the first store still has %v", keys(left))
	}
	sandbox, pod := two.Sandbox(t, "hello", nil)
	id, log := two.Container(t, sandbox, pod, &runtimeapi.ContainerConfig{
		Metadata: &runtimeapi.ContainerMetadata{Name: "hello"}, Image: &runtimeapi.ImageSpec{Image: name}})
	two.WaitExited(t, id)
	if text, err := os.ReadFile(log); err != nil || !strings.Contains(string(text), "hello from a pod") {
		t.Errorf("log %q, %v", text, err)
	}
	if err := share.Image(t.Context(), name, open(t, two), open(t, one)); err != nil { // and back
		t.Error(err)
	}
}

func remove(t *testing.T, n *runtimetest.Node, name string) {
	t.Helper()
	if _, err := n.ImageInfo.RemoveImage(t.Context(), &runtimeapi.RemoveImageRequest{Image: &runtimeapi.ImageSpec{Image: name}}); err != nil {
		t.Fatal(err)
	}
}

func keys(m map[string]string) []string {
	var all []string
	for k := range m {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}
