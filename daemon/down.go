package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"proa/node/cgroup"
	"proa/node/runtime"
)

// stopTimeout bounds how long the server may take to stop before Down gives up.
const stopTimeout = 30 * time.Second

// Down stops the process that serves the data directory, then its containers, containerd, links and rules. Objects,
// images and volumes stay. It does the rest of an earlier Down that was cut off, and succeeds when nothing is left to do.
// Each thing that it removed is told to say.
func Down(ctx context.Context, cfg *Config, grace time.Duration, say func(string)) error {
	if err := cfg.Default(); err != nil {
		return err
	}
	stop, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	pid, err := StopRunning(stop, cfg.RunDir)
	if err != nil {
		return err
	}
	if pid != 0 {
		say(fmt.Sprintf("stopped process %d", pid))
	}
	door, err := newFrontDoor(cfg)
	if err != nil {
		return err
	}
	if stopped, err := door.stop(stop); err != nil {
		return err
	} else if stopped {
		say("closed the front door")
	}
	r, err := bundledRuntime(cfg)
	if err != nil {
		return err
	}
	if err := r.Down(ctx, grace); err != nil {
		return err
	}
	say("stopped containers and containerd")
	nodes, err := existingNodes(cfg)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if err := n.down(ctx, grace); err != nil {
			return fmt.Errorf("node %s: %w", n.name(), err)
		}
		say("stopped node " + n.name() + " and its containers")
	}
	return removeRunning(ctx, cfg, say)
}

// Uninstall is Down without grace, and removes all files too.
func Uninstall(ctx context.Context, cfg *Config, say func(string)) error {
	if err := Down(ctx, cfg, 0, say); err != nil {
		return err
	}
	r, err := bundledRuntime(cfg)
	if err != nil {
		return err
	}
	if err := r.Uninstall(ctx, 0); err != nil {
		return err
	}
	nodes, err := existingNodes(cfg)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if err := n.uninstall(ctx); err != nil {
			return fmt.Errorf("node %s: %w", n.name(), err)
		}
	}
	if err := os.RemoveAll(cfg.DataDir); err != nil {
		return fmt.Errorf("remove data directory: %w", err)
	}
	say("removed " + cfg.DataDir)
	return nil
}

// removeRunning takes away what a running node leaves in the kernel and in the run directory.
func removeRunning(ctx context.Context, cfg *Config, say func(string)) error {
	plane, err := newDataPlane(cfg)
	if err != nil {
		return err
	}
	if err := errors.Join(plane.remove(), runtime.UnmountBelow(podRoot(cfg))); err != nil {
		return err
	}
	say("removed links, packet rules and mounts")
	if err := cgroup.New(cgroupRoot(cfg)).RemoveAll(ctx); err != nil {
		return fmt.Errorf("remove cgroups: %w", err)
	}
	say("removed cgroups")
	if err := os.RemoveAll(cfg.RunDir); err != nil {
		return fmt.Errorf("remove run directory: %w", err)
	}
	return nil
}
