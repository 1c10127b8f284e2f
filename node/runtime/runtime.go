// Package runtime keeps the bundled containerd running: it finds the programs, writes the configuration, starts
// containerd in a session of its own, adopts one that still runs, restarts one that died, and takes everything
// away again.
//
// It decides when containerd is started, restarted and stopped, and owns containerd's configuration, its root and its
// state directory. The daemon calls it; nobody else knows that the container runtime is a child of ours. When containerd
// is gone the containers go on (each has a shim of its own); Run brings containerd back with growing pauses. When a
// program of the bundle is missing or too old, Start says in one line which, which version, and how to get it.
package runtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Config says where containerd lives. Fields without a note are required.
type Config struct {
	BundleDir    string // searched first; PATH after it. Optional
	DataDir      string // containerd's root: images, layers, metadata; survives a reboot
	StateDir     string // containerd's state, pid file; on a file system that a reboot empties
	Socket       string // optional: StateDir/containerd.sock
	CNIBinDir    string
	CNIConfDir   string
	SandboxImage string
	RegistryDir  string // hosts.toml files of registries. Optional: DataDir/certs.d
	LogFile      string // optional: DataDir/containerd.log
	// Ready asks the runtime at a socket whether it serves (CRI Version and Status); node/cri has such a function.
	// It is called again until it returns nil, at most every few milliseconds. Optional: a connect is enough.
	Ready func(ctx context.Context, socket string) error
	Log   *slog.Logger // optional
	// Sleep waits between restarts; tests replace it. Optional.
	Sleep func(ctx context.Context, d time.Duration) error
}

// Runtime is one containerd. Its methods may be called from any goroutine; Start and Stop exclude each other.
//
//	stopped --Start--> serving --process ends--> dead --Run: backoff--> serving
//	                   serving --Stop--> stopped
type Runtime struct {
	cfg      Config
	programs Programs

	mu struct {
		sync.Mutex
		process *process
		stopped bool
	}
}

// New checks the configuration and starts nothing.
func New(cfg Config) (*Runtime, error) {
	for name, value := range map[string]string{
		"DataDir": cfg.DataDir, "StateDir": cfg.StateDir, "CNIBinDir": cfg.CNIBinDir,
		"CNIConfDir": cfg.CNIConfDir, "SandboxImage": cfg.SandboxImage,
	} {
		if value == "" {
			return nil, fmt.Errorf("configure the container runtime: %s is not set", name)
		}
	}
	cfg.Socket = orDefault(cfg.Socket, filepath.Join(cfg.StateDir, "containerd.sock"))
	cfg.RegistryDir = orDefault(cfg.RegistryDir, filepath.Join(cfg.DataDir, "certs.d"))
	cfg.LogFile = orDefault(cfg.LogFile, filepath.Join(cfg.DataDir, "containerd.log"))
	// A Unix socket's address holds 107 bytes, and containerd adds ".ttrpc".
	if len(cfg.Socket) > 100 {
		return nil, fmt.Errorf("configure the container runtime: the socket's path %q is longer than 100 bytes", cfg.Socket)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Sleep == nil {
		cfg.Sleep = sleep
	}
	return &Runtime{cfg: cfg}, nil
}

// Socket is where the CRI is served.
func (r *Runtime) Socket() string { return r.cfg.Socket }

// Programs says what Start found; before it, the paths are empty.
func (r *Runtime) Programs() Programs { return r.programs }

// Start returns when containerd serves: one that runs already with the same configuration and programs is adopted, any other
// is replaced. Containers are not touched in either case.
func (r *Runtime) Start(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.stopped = false
	if err := r.findPrograms(ctx); err != nil {
		return err
	}
	changed, err := r.writeConfig()
	if err != nil {
		return err
	}
	return r.ensureLocked(ctx, changed)
}

// findPrograms looks for the bundle; versions that were asked once are kept beside the data.
func (r *Runtime) findPrograms(ctx context.Context) error {
	memory := filepath.Join(r.cfg.DataDir, "versions.json")
	var known map[string]string
	if text, err := os.ReadFile(memory); err == nil && json.Unmarshal(text, &known) != nil {
		known = nil // damaged: everybody is asked again
	}
	programs, learned, err := find(ctx, r.cfg.BundleDir, known)
	if err != nil {
		return err
	}
	r.programs = programs
	if maps.Equal(known, learned) {
		return nil
	}
	text, err := json.Marshal(learned)
	if err == nil {
		err = os.MkdirAll(r.cfg.DataDir, 0o711)
	}
	if err == nil {
		err = replaceFile(memory, text)
	}
	if err != nil {
		return fmt.Errorf("remember versions of the runtime: %w", err)
	}
	return nil
}

// ensureLocked makes containerd run with the configuration on disk.
func (r *Runtime) ensureLocked(ctx context.Context, changed bool) error {
	running := findProcess(r.pidFile(), r.configFile())
	if running != nil && changed {
		r.cfg.Log.Info("restart containerd: its configuration changed", "pid", running.pid)
		if err := running.stop(ctx, stopTimeout); err != nil {
			return err
		}
		running = nil
	}
	if running != nil {
		r.cfg.Log.Info("adopt containerd", "pid", running.pid)
	} else {
		launched, err := r.launch()
		if err != nil {
			return err
		}
		running = launched
	}
	r.mu.process = running
	return r.waitReady(ctx, running)
}

// Run keeps containerd alive until ctx is done, and leaves it running then: containers and their runtime outlive the agent.
func (r *Runtime) Run(ctx context.Context) error {
	pause := backoff{first: 100 * time.Millisecond, max: 30 * time.Second}
	for {
		process := r.current()
		if process == nil {
			return errors.New("run containerd: it was not started")
		}
		started := time.Now()
		if err := process.wait(ctx); err != nil {
			return ctx.Err()
		}
		if r.isStopped() {
			return nil
		}
		if time.Since(started) > pause.max {
			pause.reset()
		}
		if err := r.restart(ctx, &pause); err != nil {
			return err
		}
	}
}

// restart tries until containerd serves again; it only fails when ctx is done or Stop was called.
func (r *Runtime) restart(ctx context.Context, pause *backoff) error {
	for {
		wait := pause.next()
		r.cfg.Log.Error("containerd ended; containers go on, nothing new starts meanwhile",
			"restartIn", wait, "log", r.cfg.LogFile, "last", lastLine(r.cfg.LogFile))
		if err := r.cfg.Sleep(ctx, wait); err != nil {
			return err
		}
		err := r.startAgain(ctx)
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		r.cfg.Log.Error("start containerd", "error", err)
	}
}

func (r *Runtime) startAgain(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.stopped {
		return nil
	}
	return r.ensureLocked(ctx, false)
}

func (r *Runtime) current() *process {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.process
}

func (r *Runtime) isStopped() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.stopped
}

// backoff doubles from first to max.
type backoff struct{ first, max, now time.Duration }

func (b *backoff) next() time.Duration {
	if b.now == 0 {
		b.now = b.first
		return b.now
	}
	b.now = min(2*b.now, b.max)
	return b.now
}

func (b *backoff) reset() { b.now = 0 }

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func orDefault(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}

func (r *Runtime) pidFile() string    { return filepath.Join(r.cfg.StateDir, "containerd.pid") }
func (r *Runtime) configFile() string { return filepath.Join(r.cfg.StateDir, "containerd.toml") }

// stateRoot holds what containerd and runc keep per running container.
func (r *Runtime) stateRoot() string { return filepath.Join(r.cfg.StateDir, "containerd") }
func (r *Runtime) runcRoot() string  { return filepath.Join(r.cfg.StateDir, "runc") }

func (r *Runtime) makeDirs() error {
	for _, dir := range []string{r.cfg.DataDir, r.cfg.StateDir, r.stateRoot(), r.runcRoot(), r.tempDir(), filepath.Dir(r.cfg.Socket), filepath.Dir(r.cfg.LogFile)} {
		if err := os.MkdirAll(dir, 0o711); err != nil {
			return fmt.Errorf("make directories of containerd: %w", err)
		}
	}
	return nil
}

func (r *Runtime) tempDir() string { return filepath.Join(r.cfg.DataDir, "tmp") }
