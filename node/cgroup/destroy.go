package cgroup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/opencontainers/cgroups"
	"golang.org/x/sys/unix"
)

// emptying bounds the wait for killed processes: one that the kernel holds must not hold its caller.
const emptying = 5 * time.Second

// destroy kills what runs in a group and below, and removes them.
func destroy(ctx context.Context, path string) error {
	m, err := open(path, &cgroups.Resources{})
	if err != nil {
		return err
	}
	if err := empty(ctx, m); err != nil {
		return fmt.Errorf("empty cgroup %s: %w", path, err)
	}
	if err := m.Destroy(); err != nil {
		return fmt.Errorf("remove cgroup %s: %w", path, err)
	}
	return nil
}

// empty kills until no process is left: one that is killed may have just made another.
func empty(ctx context.Context, m cgroups.Manager) error {
	ctx, cancel := context.WithTimeout(ctx, emptying)
	defer cancel()
	for {
		pids, err := processes(m)
		if err != nil || len(pids) == 0 {
			return err
		}
		for _, pid := range pids {
			if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("kill process %d: %w", pid, err)
			}
		}
		select { // version 1 has no event for a group that became empty
		case <-ctx.Done():
			return fmt.Errorf("processes %v do not end: %w", pids, ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// processes lists what is in a group in any hierarchy: in version 1 a process enters them one after the other.
func processes(m cgroups.Manager) ([]int, error) {
	var all []int
	for _, path := range m.GetPaths() {
		pids, err := cgroups.GetAllPids(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENODEV) {
			return nil, fmt.Errorf("list processes: %w", err)
		}
		for _, pid := range pids {
			if pid > 0 && !slices.Contains(all, pid) { // 0 is one that this process cannot see
				all = append(all, pid)
			}
		}
	}
	return all, nil
}
