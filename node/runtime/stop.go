package runtime

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Stop ends containerd and leaves the containers running; Run returns. It works without Start, on what an earlier process left.
func (r *Runtime) Stop(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.stopped = true
	// Looked up again: another process of ours may have replaced the one that this one started.
	p := findProcess(r.pidFile(), r.configFile())
	if p == nil {
		return nil
	}
	r.cfg.Log.Info("stop containerd", "pid", p.pid)
	if err := p.stop(ctx, stopTimeout); err != nil {
		return err
	}
	if err := os.Remove(r.pidFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the pid file: %w", err)
	}
	return nil
}

// Down ends containerd and every container with its shim, unmounts all that is mounted below our directories and removes the
// state directory. Containers get SIGTERM first and SIGKILL after grace. What is left is what a reboot leaves: images,
// layers and containerd's records of containers that ended.
func (r *Runtime) Down(ctx context.Context, grace time.Duration) error {
	// containerd first: it must not see the containers die one by one, and start nothing meanwhile.
	if err := r.Stop(ctx); err != nil {
		return err
	}
	if r.programs.Runc == "" {
		// An unusable bundle must not keep anyone from cleaning up: what runc would do is done by signals.
		r.programs, _ = Find(ctx, r.cfg.BundleDir)
	}
	containers := r.containers()
	r.endContainers(ctx, containers, grace)
	if err := r.endShims(ctx, containers); err != nil {
		return err
	}
	if err := UnmountBelow(r.cfg.StateDir, r.cfg.DataDir); err != nil {
		return err
	}
	if err := os.RemoveAll(r.cfg.StateDir); err != nil {
		return fmt.Errorf("remove containerd's state: %w", err)
	}
	return nil
}

// Uninstall is Down, and removes the data too: no process, mount, socket or file of ours is left.
func (r *Runtime) Uninstall(ctx context.Context, grace time.Duration) error {
	if err := r.Down(ctx, grace); err != nil {
		return err
	}
	if err := os.RemoveAll(r.cfg.DataDir); err != nil {
		return fmt.Errorf("remove containerd's data: %w", err)
	}
	return nil
}

// container is one that a shim of ours holds, as its bundle directory tells.
type container struct {
	namespace, id string
	pid           int    // 0 if it never started
	shimSocket    string // the shim's address, below a directory that all containerds of a machine share
}

// containers reads the bundle directories, which exist as long as a shim has not been cleaned up.
func (r *Runtime) containers() []container {
	base := filepath.Join(r.stateRoot(), "io.containerd.runtime.v2.task")
	dirs, err := filepath.Glob(filepath.Join(base, "*", "*"))
	if err != nil {
		return nil
	}
	found := make([]container, 0, len(dirs))
	for _, dir := range dirs {
		c := container{namespace: filepath.Base(filepath.Dir(dir)), id: filepath.Base(dir)}
		if text, err := os.ReadFile(filepath.Join(dir, "init.pid")); err == nil {
			c.pid, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		}
		if text, err := os.ReadFile(filepath.Join(dir, "bootstrap.json")); err == nil {
			c.shimSocket = socketIn(string(text))
		} else if text, err := os.ReadFile(filepath.Join(dir, "address")); err == nil {
			c.shimSocket = socketIn(string(text))
		}
		found = append(found, c)
	}
	return found
}

// socketIn takes the path out of an address, plain or in JSON: unix:///run/containerd/s/ab12.
func socketIn(text string) string {
	_, path, ok := strings.Cut(text, "unix://")
	if !ok {
		return ""
	}
	path, _, _ = strings.Cut(path, `"`)
	return strings.TrimSpace(path)
}

// endContainers stops the processes and lets runc remove the cgroups. Its failures are only logged: the shims and their
// containers' first processes are killed afterwards in any case.
func (r *Runtime) endContainers(ctx context.Context, containers []container, grace time.Duration) {
	if grace > 0 {
		r.terminate(ctx, containers, grace)
	}
	slots := make(chan struct{}, 4)
	var group sync.WaitGroup
	for _, c := range containers {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			if r.programs.Runc == "" {
				return
			}
			root := filepath.Join(r.runcRoot(), c.namespace)
			out, err := exec.CommandContext(ctx, r.programs.Runc, "--root", root, "delete", "--force", c.id).CombinedOutput()
			if err != nil {
				r.cfg.Log.Warn("delete container", "id", c.id, "error", err, "output", firstLine(string(out)))
			}
		})
	}
	group.Wait()
}

// terminate sends SIGTERM to all containers' first processes and waits for them together.
func (r *Runtime) terminate(ctx context.Context, containers []container, grace time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	var waiting []*process
	for _, c := range containers {
		if c.pid <= 1 {
			continue
		}
		p, err := watchProcess(c.pid, func() bool { return inContainer(c.pid, c.id) })
		if err != nil {
			continue
		}
		if p.os.Signal(unix.SIGTERM) == nil {
			waiting = append(waiting, p)
		}
	}
	for _, p := range waiting {
		if p.wait(ctx) != nil {
			return
		}
	}
}

// inContainer guards against a reused process number: the cgroup of a container's process names the container.
func inContainer(pid int, id string) bool {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cgroup"))
	return err == nil && strings.Contains(string(text), id)
}

// endShims kills the shims of our containerd, known by its socket among their arguments, and removes their sockets.
func (r *Runtime) endShims(ctx context.Context, containers []container) error {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return fmt.Errorf("list processes: %w", err)
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		isShim := func() bool { return hasArguments(pid, "-address", r.cfg.Socket) }
		if !isShim() {
			continue
		}
		p, err := watchProcess(pid, isShim)
		if err != nil {
			continue
		}
		if err := p.os.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("kill shim %d: %w", pid, err)
		}
		if err := p.wait(ctx); err != nil {
			return err
		}
	}
	for _, c := range containers {
		if c.pid > 1 && inContainer(c.pid, c.id) {
			_ = unix.Kill(c.pid, unix.SIGKILL)
		}
		if c.shimSocket != "" {
			_ = os.Remove(c.shimSocket)
			// The directory is containerd's own, shared by all on the machine: only an empty one goes.
			_ = os.Remove(filepath.Dir(c.shimSocket))
		}
	}
	return nil
}

// UnmountBelow unmounts everything mounted at or below the directories, the last mounted first.
func UnmountBelow(dirs ...string) error {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return fmt.Errorf("read mounts: %w", err)
	}
	points := mountsBelow(string(text), dirs)
	for i := len(points) - 1; i >= 0; i-- {
		err := unix.Unmount(points[i], unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("unmount %s: %w", points[i], err)
		}
	}
	return nil
}

// mountsBelow picks the mount points in the order in which they were mounted.
func mountsBelow(mountinfo string, dirs []string) []string {
	// The kernel writes blank, tab, newline and backslash in octal.
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	var points []string
	for line := range strings.Lines(mountinfo) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		point := unescape.Replace(fields[4])
		for _, dir := range dirs {
			if point == dir || strings.HasPrefix(point, strings.TrimSuffix(dir, "/")+"/") {
				points = append(points, point)
				break
			}
		}
	}
	return points
}
