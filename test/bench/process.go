package main

import (
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
)

// process is a program under measurement.
type process struct {
	cmd *exec.Cmd
	log string
}

// start starts a program whose output goes to a file.
func start(logFile, program string, args ...string) (*process, error) {
	f, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	defer f.Close()
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = f, f
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	return &process{cmd, logFile}, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// stop asks the process to end and waits, ten seconds at most.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w", p.cmd.Path, err)
	}
	kill := time.AfterFunc(10*time.Second, func() { p.cmd.Process.Kill() })
	defer kill.Stop()
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGTERM {
		return nil
	}
	if err != nil {
		return fmt.Errorf("end of %s: %w", p.cmd.Path, err)
	}
	return nil
}

// why adds the end of the process's log to an error.
func (p *process) why(err error) error {
	if err == nil {
		return nil
	}
	content, _ := os.ReadFile(p.log) // without a log the error stands alone
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	return fmt.Errorf("%w; the end of its log:\n%s", err, strings.Join(lines[max(0, len(lines)-8):], "\n"))
}

// privateMemory sums the private memory (RssAnon) of processes, in MiB.
func privateMemory(pids ...int) (float64, error) {
	var kib int
	for _, pid := range pids {
		content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return 0, fmt.Errorf("read memory: %w", err)
		}
		_, rest, found := strings.Cut(string(content), "RssAnon:")
		if !found {
			return 0, fmt.Errorf("read memory: process %d has no RssAnon", pid)
		}
		n, err := strconv.Atoi(strings.Fields(rest)[0])
		if err != nil {
			return 0, fmt.Errorf("read memory: %w", err)
		}
		kib += n
	}
	return float64(kib) / 1024, nil
}

// ticksPerSecond is the kernel's USER_HZ, the same on all of Linux's architectures that we run on.
const ticksPerSecond = 100

// cpuTime is the time that processes have computed for, without their children.
func cpuTime(pids ...int) (time.Duration, error) {
	var ticks int
	for _, pid := range pids {
		content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return 0, fmt.Errorf("read CPU time: %w", err)
		}
		// The second field is a name in parentheses that may hold anything; utime and stime are the 14th and 15th.
		fields := strings.Fields(string(content[strings.LastIndexByte(string(content), ')')+1:]))
		for _, field := range fields[11:13] {
			n, err := strconv.Atoi(field)
			if err != nil {
				return 0, fmt.Errorf("read CPU time: %w", err)
			}
			ticks += n
		}
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond, nil
}

// named finds the processes of these namespaces whose program's name begins with prefix.
func named(prefix string) []int {
	links, _ := filepath.Glob("/proc/[0-9]*/exe") // the pattern is well formed
	var pids []int
	for _, link := range links {
		target, err := os.Readlink(link)
		if err != nil || !strings.HasPrefix(filepath.Base(target), prefix) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// until calls check until it succeeds, and returns the last error when ctx ends first.
func until(ctx context.Context, every time.Duration, check func() error) error {
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(every):
		}
	}
}
