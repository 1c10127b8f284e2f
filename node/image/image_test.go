package image_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"proa/node/image"
	"proa/node/runtime/runtimetest"
)

func writeTree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "hello")
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

var goProgram = map[string]string{
	"go.mod":  "module hello\n\ngo 1.24\n",
	"main.go": "package main\n\nfunc main() { println(\"hello from a pod\") }\n",
}

func TestBuildIsReproducible(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"go package": goProgram,
		"directory":  {"bin/tool": "#!/bin/sh\n", "etc/motd": "hi\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var archives [2]bytes.Buffer
			for i := range archives {
				built, err := image.Build(t.Context(), writeTree(t, files), image.Options{Cmd: []string{"x"}})
				if err != nil {
					t.Fatal(err)
				}
				if err := built.Write(&archives[i], "hello:1"); err != nil {
					t.Fatal(err)
				}
				if err := built.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(archives[0].Bytes(), archives[1].Bytes()) {
				t.Error("two builds of the same content differ")
			}
		})
	}
}

func TestBuildShowsCompilerErrors(t *testing.T) {
	dir := writeTree(t, map[string]string{"go.mod": "module hello\n", "main.go": "package main\n\nfunc main() { undefinedThing() }\n"})
	_, err := image.Build(t.Context(), dir, image.Options{})
	if err == nil || !strings.Contains(err.Error(), "undefined: undefinedThing") {
		t.Errorf("the compiler's words are missing: %v", err)
	}
}

func TestLoadRefusesWhatIsNoArchive(t *testing.T) {
	store := image.New(image.Config{Ctr: "/nonexistent"})
	for name, content := range map[string]string{"empty": "", "text": strings.Repeat("no tar\n", 200)} {
		_, err := store.LoadFrom(t.Context(), strings.NewReader(content))
		if err == nil || !strings.Contains(err.Error(), "archive") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestImagesReachTheRuntime(t *testing.T) {
	node := runtimetest.Start(t)
	dir := writeTree(t, goProgram)
	name, err := node.Images.Build(t.Context(), dir, "example.org/hello:1", image.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if name != "example.org/hello:1" {
		t.Errorf("name is %q", name)
	}
	archive := filepath.Join(t.TempDir(), "web.tar")
	writeArchive(t, archive, dir, "web:2")
	if names, err := node.Images.Load(t.Context(), archive); err != nil || !slices.Equal(names, []string{"docker.io/library/web:2"}) {
		t.Fatalf("loaded %v, %v", names, err)
	}
	listed, err := node.Images.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var tags []string
	for _, l := range listed {
		tags = append(tags, l.Tags...)
	}
	if want := []string{"docker.io/library/web:2", "example.org/hello:1", image.PauseImage}; !slices.Equal(tags, want) {
		t.Errorf("tags %v, want %v", tags, want)
	}
	sandbox, pod := node.Sandbox(t, "hello", nil)
	id, log := node.Container(t, sandbox, pod, &runtimeapi.ContainerConfig{
		Metadata: &runtimeapi.ContainerMetadata{Name: "hello"}, Image: &runtimeapi.ImageSpec{Image: "example.org/hello:1"}})
	node.WaitExited(t, id)
	if text, err := os.ReadFile(log); err != nil || !strings.Contains(string(text), "hello from a pod") {
		t.Errorf("log %q, %v", text, err)
	}
}

func writeArchive(t *testing.T, path, dir, tag string) {
	t.Helper()
	built, err := image.Build(t.Context(), dir, image.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer built.Close()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := built.Write(f, tag); err != nil {
		t.Fatal(err)
	}
}

// TestPauseReapsAndEnds runs the program as the first process of a process namespace.
func TestPauseReapsAndEnds(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a process namespace needs root")
	}
	path := filepath.Join(t.TempDir(), "pause")
	if err := os.WriteFile(path, image.PauseProgram(t), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		cmd := exec.Command(path)
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		waitBlocked(t, cmd.Process.Pid)
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("ended by %v with %v", signal, err)
		}
	}
}

// waitBlocked returns when the program waits for signals: before, the kernel drops them for a first process.
func waitBlocked(t *testing.T, pid int) {
	t.Helper()
	for {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			t.Fatal(err)
		}
		// Others may be ignored too: a shell that starts the tests in the background hands SIGINT down ignored.
		if ignores(string(status), syscall.SIGCHLD) && strings.Contains(string(status), "State:\tS") {
			return
		}
		if strings.Contains(string(status), "State:\tZ") {
			t.Fatal("the program ended by itself")
		}
		runtime.Gosched()
	}
}

// ignores reads the set of ignored signals from /proc/PID/status.
func ignores(status string, signal syscall.Signal) bool {
	_, rest, _ := strings.Cut(status, "SigIgn:\t")
	line, _, _ := strings.Cut(rest, "\n")
	set, err := strconv.ParseUint(line, 16, 64)
	return err == nil && set&(1<<(signal-1)) != 0
}

// TestPauseAdoptsOrphans uses a pod whose containers share one process namespace.
func TestPauseAdoptsOrphans(t *testing.T) {
	node := runtimetest.Start(t)
	dir := writeTree(t, map[string]string{"go.mod": "module hello\n\ngo 1.24\n", "main.go": orphanMaker})
	if _, err := node.Images.Build(t.Context(), dir, "orphans:1", image.Options{}); err != nil {
		t.Fatal(err)
	}
	sandbox, pod := node.Sandbox(t, "orphans", &runtimeapi.NamespaceOption{Pid: runtimeapi.NamespaceMode_POD})
	id, log := node.Container(t, sandbox, pod, &runtimeapi.ContainerConfig{
		Metadata: &runtimeapi.ContainerMetadata{Name: "orphans"}, Image: &runtimeapi.ImageSpec{Image: "orphans:1"}})
	node.WaitExited(t, id)
	if text, err := os.ReadFile(log); err != nil || !strings.Contains(string(text), "orphan reaped") {
		t.Errorf("log %q, %v", text, err)
	}
}

// orphanMaker starts itself twice over: the grandchild is orphaned, ends, and must vanish although nobody of its own waits.
const orphanMaker = `package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == "orphan" {
		os.Stdin.Read(make([]byte, 1)) // ends with the pipe
		return
	}
	if len(os.Args) == 2 { // child: leaves an orphan with our standard input
		cmd := exec.Command("/proc/self/exe", "orphan")
		cmd.Stdin = os.Stdin
		cmd.Start()
		fmt.Print(cmd.Process.Pid)
		return
	}
	cmd := exec.Command("/proc/self/exe", "child")
	read, write, _ := os.Pipe()
	cmd.Stdin = read
	out, err := cmd.Output()
	read.Close()
	var pid int
	if fmt.Sscan(string(out), &pid); err != nil || pid == 0 {
		fmt.Println("no orphan", string(out), err)
		return
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if !strings.Contains(string(status), "PPid:\t1\n") {
		fmt.Println("not adopted", string(status), err)
		return
	}
	write.Close()
	for !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		os.Getpid()
	}
	fmt.Println("orphan reaped")
}

`

func TestRemove(t *testing.T) {
	there := []*runtimeapi.Image{
		{Id: "sha256:0123456789abcdef", RepoTags: []string{"docker.io/library/web:1"}},
		{Id: "sha256:fedcba9876543210", RepoTags: []string{"proa.local/pause:1"}, Pinned: true},
	}
	var gone []string
	store := image.New(image.Config{
		Images: func(context.Context) ([]*runtimeapi.Image, error) { return there, nil },
		Delete: func(_ context.Context, id string) error { gone = append(gone, id); return nil },
	})
	for _, test := range []struct {
		name    string
		removed bool
		wrong   string
	}{
		{"web:1", true, ""}, {"0123456789ab", true, ""}, {"01234", false, ""}, {"web:2", false, ""}, {"proa.local/pause:1", false, "the node itself needs it"},
	} {
		removed, err := store.Remove(t.Context(), test.name)
		if removed != test.removed || (err != nil) != (test.wrong != "") || (err != nil && !strings.Contains(err.Error(), test.wrong)) {
			t.Errorf("%s: removed %t, %v", test.name, removed, err)
		}
	}
	if !slices.Equal(gone, []string{"sha256:0123456789abcdef", "sha256:0123456789abcdef"}) {
		t.Errorf("removed %v", gone)
	}
}
