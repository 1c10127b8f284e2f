package runtime_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"proa/node/runtime"
	"proa/node/runtime/runtimetest"
)

func writeProgram(t *testing.T, dir, name, prints string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\necho '"+prints+"'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestFindNamesWhatIsMissingOrTooOld(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", "")
	writeProgram(t, dir, "containerd", "containerd containerd.io 1.6.20 abc")
	writeProgram(t, dir, "containerd-shim-runc-v2", "containerd-shim-runc-v2:\n  Version:  v2.2.9")
	_, err := runtime.Find(t.Context(), dir)
	if err == nil {
		t.Fatal("no error")
	}
	want := strings.ReplaceAll("find containerd: DIR/containerd has version 1.6.20, 2.1.0 or newer is needed: `make bundle` builds it\n"+
		"find runc: not in \"DIR\" and not on PATH; version 1.2.0 or newer is needed: `make bundle` builds it", "DIR", dir)
	if err.Error() != want {
		t.Errorf("got\n%s\nwant\n%s", err, want)
	}
}

func TestNewWantsItsDirectories(t *testing.T) {
	if _, err := runtime.New(runtime.Config{DataDir: "/x"}); err == nil || !strings.Contains(err.Error(), "is not set") {
		t.Errorf("err = %v", err)
	}
}

func TestStartSaysWhyContainerdEnded(t *testing.T) {
	cfg := runtimetest.Config(t)
	cfg.BundleDir = t.TempDir()
	writeProgram(t, cfg.BundleDir, "containerd-shim-runc-v2", "v2.2.9")
	writeProgram(t, cfg.BundleDir, "runc", "runc version 1.4.3")
	script := "#!/bin/sh\n[ \"$1\" = --version ] && { echo v2.2.9; exit; }\necho 'cannot open database'\nexit 1\n"
	if err := os.WriteFile(filepath.Join(cfg.BundleDir, "containerd"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	r, err := runtime.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "cannot open database") {
		t.Errorf("err = %v", err)
	}
}

func pidOf(t *testing.T, cfg runtime.Config) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(cfg.StateDir, "containerd.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func start(t *testing.T, cfg runtime.Config) *runtime.Runtime {
	t.Helper()
	r, err := runtime.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestContainerdIsAdoptedReplacedAndRestarted(t *testing.T) {
	runtimetest.Need(t)
	cfg := runtimetest.Config(t)
	first := start(t, cfg)
	t.Cleanup(func() {
		if err := first.Uninstall(context.Background(), 0); err != nil {
			t.Error(err)
		}
	})
	pid := pidOf(t, cfg)

	start(t, cfg)
	if got := pidOf(t, cfg); got != pid {
		t.Errorf("an equal configuration started containerd again: %d, was %d", got, pid)
	}
	cfg.SandboxImage = "proa.local/pause:2"
	start(t, cfg)
	replaced := pidOf(t, cfg)
	if replaced == pid {
		t.Error("a new configuration did not replace containerd")
	}

	// The process dies: Run brings it back. The pause before it is the signal that Run noticed.
	slept := make(chan time.Duration, 10)
	cfg.Sleep = func(_ context.Context, d time.Duration) error { slept <- d; return nil }
	third := start(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- third.Run(ctx) }()
	if err := syscall.Kill(replaced, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if d := <-slept; d != 100*time.Millisecond {
		t.Errorf("first pause is %v", d)
	}
	for pidOf(t, cfg) == replaced {
		if len(done) > 0 {
			t.Fatal(<-done)
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v", err)
	}
	if err := syscall.Kill(pidOf(t, cfg), 0); err != nil {
		t.Errorf("containerd did not outlive Run: %v", err)
	}
}

func TestStopEndsRun(t *testing.T) {
	runtimetest.Need(t)
	cfg := runtimetest.Config(t)
	r := start(t, cfg)
	done := make(chan error, 1)
	go func() { done <- r.Run(t.Context()) }()
	if err := r.Uninstall(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	for _, dir := range []string{cfg.DataDir, cfg.StateDir} {
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", dir, err)
		}
	}
}

// TestContainersOutliveContainerdButNotDown follows one process through a restart of containerd and through Down.
func TestContainersOutliveContainerdButNotDown(t *testing.T) {
	node := runtimetest.Start(t)
	sandbox, _ := node.Sandbox(t, "alive", nil)
	pid := sandboxPID(t, node, sandbox)
	if err := node.Runtime.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, 0); err != nil {
		t.Fatalf("the container ended with containerd: %v", err)
	}
	if err := node.Runtime.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := sandboxPID(t, node, sandbox); got != pid {
		t.Errorf("the sandbox has process %d, had %d", got, pid)
	}
	if err := node.Runtime.Down(t.Context(), time.Second); err != nil {
		t.Fatal(err)
	}
	if running(pid) {
		t.Error("the container survived Down")
	}
	for _, path := range []string{"/proc/self/mountinfo", "/proc/net/unix"} {
		if text, _ := os.ReadFile(path); strings.Contains(string(text), node.Dir) {
			t.Errorf("%s still names %s", path, node.Dir)
		}
	}
	if out, _ := exec.Command("pgrep", "-f", node.Dir).Output(); len(out) > 0 {
		t.Errorf("processes are left: %s", out)
	}
}

// running counts a zombie as ended: it only waits for whoever inherited it.
func running(pid int) bool {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	return err == nil && !strings.Contains(string(status), "State:\tZ")
}

func sandboxPID(t *testing.T, node *runtimetest.Node, sandbox string) int {
	t.Helper()
	status, err := node.Containers.PodSandboxStatus(t.Context(), &runtimeapi.PodSandboxStatusRequest{PodSandboxId: sandbox, Verbose: true})
	if err != nil {
		t.Fatal(err)
	}
	if status.Status.State != runtimeapi.PodSandboxState_SANDBOX_READY {
		t.Fatalf("the sandbox is %v", status.Status.State)
	}
	_, rest, _ := strings.Cut(status.Info["info"], `"pid":`)
	digits, _, _ := strings.Cut(rest, ",")
	pid, err := strconv.Atoi(digits)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func TestVersionsAreAskedOnce(t *testing.T) {
	runtimetest.Need(t)
	cfg := runtimetest.Config(t)
	r := start(t, cfg)
	t.Cleanup(func() {
		if err := r.Uninstall(context.Background(), 0); err != nil {
			t.Error(err)
		}
	})
	text, err := os.ReadFile(filepath.Join(cfg.DataDir, "versions.json"))
	if err != nil {
		t.Fatal(err)
	}
	// Programs that are the same files are believed to be what they were.
	changed := strings.ReplaceAll(string(text), `:"2.`, `:"3.`)
	if err := os.WriteFile(filepath.Join(cfg.DataDir, "versions.json"), []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := start(t, cfg).Programs().Versions["containerd"]; !strings.HasPrefix(got, "3.") {
		t.Errorf("asked again: %s", got)
	}
}
