package runtime

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// stopTimeout is how long containerd gets between SIGTERM and SIGKILL.
const stopTimeout = 10 * time.Second

// process is a containerd that runs, whether this process started it or found it.
type process struct {
	pid   int
	os    *os.Process   // holds a pidfd: the number cannot come to mean another process
	ended chan struct{} // closed when the process is gone
}

// findProcess returns the containerd that runs with this configuration file, or nil. The pid file is a short cut: it is
// missing if whoever started containerd died right then, and stale after a reboot.
func findProcess(pidFile, configFile string) *process {
	if text, err := os.ReadFile(pidFile); err == nil {
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && pid > 1 {
			if p := processWith(pid, configFile); p != nil {
				return p
			}
		}
	}
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil {
			if p := processWith(pid, configFile); p != nil {
				return p
			}
		}
	}
	return nil
}

func processWith(pid int, configFile string) *process {
	isOurs := func() bool { return hasArguments(pid, "--config", configFile) }
	if !isOurs() {
		return nil
	}
	p, err := watchProcess(pid, isOurs)
	if err != nil {
		return nil
	}
	return p
}

// watchProcess starts to wait for the end of a process, child or not. isOurs is asked when the number is pinned.
func watchProcess(pid int, isOurs func() bool) (*process, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, fmt.Errorf("open process %d: %w", pid, err)
	}
	found, err := os.FindProcess(pid)
	if err != nil || !isOurs() {
		return nil, errors.Join(fmt.Errorf("process %d is another one", pid), err, unix.Close(fd))
	}
	p := &process{pid: pid, os: found, ended: make(chan struct{})}
	go p.poll(fd)
	return p, nil
}

// poll ends with the process. One parked thread is the price; it is the only way to wait for what is not our child.
func (p *process) poll(fd int) {
	defer close(p.ended)
	defer unix.Close(fd)
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
		if errors.Is(err, unix.EINTR) || (err == nil && n == 0) {
			continue
		}
		// A child stays a zombie until it is waited for; for others this fails and does no harm.
		var status unix.WaitStatus
		_, _ = unix.Wait4(p.pid, &status, unix.WNOHANG, nil)
		return
	}
}

// wait returns nil when the process is gone, or ctx's error.
func (p *process) wait(ctx context.Context) error {
	select {
	case <-p.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stop ends the process, by SIGKILL after the timeout.
func (p *process) stop(ctx context.Context, timeout time.Duration) error {
	if err := p.os.Signal(unix.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop containerd: %w", err)
	}
	soon, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if p.wait(soon) == nil {
		return nil
	}
	if err := p.os.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill containerd: %w", err)
	}
	return p.wait(ctx)
}

// hasArguments reports whether the process's command line has these two arguments in a row.
func hasArguments(pid int, first, second string) bool {
	line, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	return err == nil && bytes.Contains(append([]byte{0}, line...), []byte("\x00"+first+"\x00"+second+"\x00"))
}

// launch starts containerd in a session of its own with its output in a file: it must survive this process and its terminal.
func (r *Runtime) launch() (*process, error) {
	log, err := openLog(r.cfg.LogFile)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(r.programs.Containerd, "--config", r.configFile())
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Dir = "/"
	// The shim inherits this; it finds runc by the configuration, but CNI plugins and helpers by PATH.
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(r.programs.Runc)+":"+os.Getenv("PATH"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", r.programs.Containerd, err)
	}
	pid := cmd.Process.Pid
	p, err := watchProcess(pid, func() bool { return true })
	if err != nil {
		return nil, errors.Join(err, cmd.Process.Kill(), cmd.Wait())
	}
	// From here poll reaps the child, not os/exec.
	_ = cmd.Process.Release()
	if err := replaceFile(r.pidFile(), []byte(strconv.Itoa(pid)+"\n")); err != nil {
		return nil, errors.Join(fmt.Errorf("write the pid file: %w", err), p.stop(context.Background(), stopTimeout))
	}
	r.cfg.Log.Info("started containerd", "pid", pid, "version", r.programs.Versions["containerd"], "socket", r.cfg.Socket)
	return p, nil
}

// replaceFile writes a file so that readers see all of it or the old one.
func replaceFile(path string, content []byte) error {
	temporary := path + ".new"
	if err := os.WriteFile(temporary, content, 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

// logLimit is when the log moves to a second file, at a start of containerd; it writes little.
const logLimit = 16 << 20

func openLog(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > logLimit {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, fmt.Errorf("rotate containerd's log: %w", err)
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open containerd's log: %w", err)
	}
	return f, nil
}

// lastLine is what a log ends with, for an error message.
func lastLine(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	buffer := make([]byte, 4096)
	end, err := f.Seek(0, 2)
	if err != nil {
		return ""
	}
	n, _ := f.ReadAt(buffer, max(0, end-int64(len(buffer))))
	text := strings.TrimSpace(string(buffer[:n]))
	return text[strings.LastIndexByte(text, '\n')+1:]
}
