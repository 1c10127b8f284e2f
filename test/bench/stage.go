package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// figures are measured values by the id of their row, in the row's unit.
type figures map[string]float64

// report takes one figure of a stage.
type report func(id string, value float64)

// reportFD is the pipe on which a stage in its namespaces reports, one JSON object a line.
const reportFD = 3

type reported struct {
	ID    string
	Value float64
}

// runApart runs a stage in namespaces of its own. They end with it, and with them whatever it left.
func runApart(ctx context.Context, o options, s stage) (figures, error) {
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make pipe: %w", err)
	}
	defer r.Close()
	cmd := exec.CommandContext(ctx, "/proc/self/exe", "-inside", s.name,
		"-proa", o.proa, "-upstream", o.upstream, "-work", o.work)
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = os.Stderr, os.Stderr, []*os.File{w}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
	}
	if err := cmd.Start(); err != nil {
		w.Close()
		return nil, fmt.Errorf("make namespaces: %w", err)
	}
	w.Close()
	found := figures{}
	for lines := bufio.NewScanner(r); lines.Scan(); {
		var line reported
		if err := json.Unmarshal(lines.Bytes(), &line); err == nil {
			found[line.ID] = line.Value
		}
	}
	err = cmd.Wait()
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = fmt.Errorf("not done after %s", s.limit)
	}
	return found, err
}

// runInside is the other end: it prepares the namespaces and runs the stage as their first process.
func runInside(ctx context.Context, o options, name string) error {
	steps := []struct {
		source, target, kind string
		flags                uintptr
	}{
		{"", "/", "", syscall.MS_REC | syscall.MS_PRIVATE},
		{"", "/", "", syscall.MS_REC | syscall.MS_SHARED}, // the node agent needs mounts to propagate, to itself
		{"proc", "/proc", "proc", 0},
		{"tmpfs", "/run", "tmpfs", 0},
	}
	for _, m := range steps {
		if err := syscall.Mount(m.source, m.target, m.kind, m.flags, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m.target, err)
		}
	}
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		return fmt.Errorf("set link up: %w: %s", err, out)
	}
	if err := os.RemoveAll(o.work); err != nil {
		return fmt.Errorf("empty work folder: %w", err)
	}
	if err := os.MkdirAll(o.work, 0o755); err != nil {
		return fmt.Errorf("make work folder: %w", err)
	}
	out := json.NewEncoder(os.NewFile(reportFD, "report"))
	for _, s := range stages {
		if s.name == name {
			err := s.run(ctx, o, func(id string, value float64) { out.Encode(reported{id, value}) })
			return errors.Join(err, os.RemoveAll(o.work))
		}
	}
	return fmt.Errorf("no stage %q", name)
}
