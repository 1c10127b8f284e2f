package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/kinds/networking"
	"proa/network/edge"
)

// EdgeVerb is the verb by which the program runs the front door.
const EdgeVerb = "edge"

func edgeDir(cfg *Config) string { return filepath.Join(cfg.RunDir, "edge") }

// edgeGrace is how long requests under way may take when the door closes.
const edgeGrace = 10 * time.Second

// ServeEdge is the process of the front door: it serves the routes of a directory on an address until it is told to stop.
func ServeEdge(ctx context.Context, dir, address string, log *slog.Logger) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP)
	door, err := edge.NewDoor(log)
	if err != nil {
		return err
	}
	plain, secure, err := edge.Listeners(ctx, address)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "routes.json")
	go func() {
		for {
			routes, err := edge.Read(file)
			if err == nil {
				door.Serve(routes)
			} else if !errors.Is(err, os.ErrNotExist) {
				log.Error("the front door keeps its routes", "err", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-again:
			}
		}
	}()
	if said := os.NewFile(3, "listening"); said != nil { // whoever started it waits for this
		_, _ = said.Write([]byte{1})
		_ = said.Close()
	}
	return door.Run(ctx, plain, secure, edgeGrace)
}

// frontDoor is the process that serves Ingresses. It outlives this one, so that its clients do not notice a restart.
type frontDoor struct {
	cfg  *Config
	exe  string
	what string // tells two versions of the program apart
}

func newFrontDoor(cfg *Config) (*frontDoor, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the program: %w", err)
	}
	info, err := os.Stat(exe)
	if err != nil {
		return nil, fmt.Errorf("find the program: %w", err)
	}
	return &frontDoor{cfg, exe, fmt.Sprintf("%s-%d-%d", cfg.Version, info.Size(), info.ModTime().UnixNano())}, nil
}

// start begins to follow the API, and has a door run while there is anything to serve.
func (c *control) startEdge(parts *group) error {
	door, err := newFrontDoor(c.cfg)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(edgeDir(c.cfg), 0o700); err != nil {
		return fmt.Errorf("make the front door's folder: %w", err)
	}
	sync := edge.NewSync(edge.SyncConfig{
		Client: c.as("system:serviceaccount:kube-system:edge-controller"), File: filepath.Join(edgeDir(c.cfg), "routes.json"), Changed: door.changed, Log: c.cfg.Log,
	})
	parts.add("front door", sync.Run)
	return nil
}

// changed tells the door of new routes. It starts one if none runs and there is something to serve, and one that takes over
// if the one that runs is of another version.
func (f *frontDoor) changed() error {
	routes, err := edge.Read(filepath.Join(edgeDir(f.cfg), "routes.json"))
	if err != nil {
		return err
	}
	running := f.running()
	switch {
	case running != nil && running.what == f.what:
		return running.process.Signal(syscall.SIGHUP)
	case running == nil && len(routes.Rules) == 0:
		return nil
	}
	if err := f.launch(); err != nil {
		return err
	}
	if running != nil {
		return running.process.Signal(syscall.SIGTERM)
	}
	return nil
}

type runningDoor struct {
	process *os.Process
	what    string
}

// running finds the door by its pid file; nil if there is none.
func (f *frontDoor) running() *runningDoor {
	data, err := os.ReadFile(filepath.Join(edgeDir(f.cfg), "pid"))
	if err != nil {
		return nil
	}
	number, what, _ := strings.Cut(strings.TrimSpace(string(data)), " ")
	pid, err := strconv.Atoi(number)
	if err != nil || !isDoor(pid, edgeDir(f.cfg)) {
		return nil
	}
	process, err := os.FindProcess(pid)
	if err != nil {
		return nil
	}
	return &runningDoor{process, what}
}

// isDoor says whether the process is a door of this directory: a number alone can have come to mean another process.
func isDoor(pid int, dir string) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	arguments := strings.Split(string(line), "\x00")
	return err == nil && len(arguments) > 2 && arguments[1] == EdgeVerb && arguments[2] == dir
}

// launch starts a door and waits until it listens, or ends.
func (f *frontDoor) launch() error {
	logs := filepath.Join(f.cfg.DataDir, "log")
	if err := os.MkdirAll(logs, 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(filepath.Join(logs, "edge.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	defer out.Close()
	listening, said, err := os.Pipe()
	if err != nil {
		return err
	}
	defer listening.Close()
	cmd := exec.Command(f.exe, EdgeVerb, edgeDir(f.cfg), f.cfg.nodeIP().String())
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = out, out, []*os.File{said}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = errors.Join(cmd.Start(), said.Close())
	if err != nil {
		return fmt.Errorf("start the front door: %w", err)
	}
	go func() { _ = cmd.Wait() }() // or it would stay a zombie
	if n, _ := listening.Read(make([]byte, 1)); n == 0 {
		return fmt.Errorf("the front door ended at once; see %s", out.Name())
	}
	return os.WriteFile(filepath.Join(edgeDir(f.cfg), "pid"), fmt.Appendf(nil, "%d %s\n", cmd.Process.Pid, f.what), 0o600)
}

// stop closes the door, if one is open.
func (f *frontDoor) stop(ctx context.Context) (stopped bool, err error) {
	running := f.running()
	if running == nil {
		return false, nil
	}
	if err := running.process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return false, fmt.Errorf("stop the front door: %w", err)
	}
	for isDoor(running.process.Pid, edgeDir(f.cfg)) {
		select {
		case <-ctx.Done():
			return false, fmt.Errorf("stop the front door: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return true, nil
}

// edgeClass is the class of Ingresses that name none.
func edgeClass() client.Object {
	return &networkingv1.IngressClass{
		ObjectMeta: metav1.ObjectMeta{Name: "proa", Annotations: map[string]string{networkingv1.AnnotationIsDefaultIngressClass: "true"}},
		Spec:       networkingv1.IngressClassSpec{Controller: networking.EdgeController},
	}
}
