// Package probe runs the startup, readiness and liveness probes of containers.
//
// It decides when a probe is due and when its answers cross a threshold, and owns one goroutine per probe. The node's runner
// says which containers run and reads the results; nobody else calls it. A probe that cannot be carried out, as when the runtime
// is gone, is no answer: it changes no state and is written as an event. Nothing survives a restart but what the pod's status says:
// a container that had started and was ready stays so until a probe says otherwise.
package probe

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/node/pod"
)

// Config is what probes need. Fields without a note are required.
type Config struct {
	// Exec runs a command in a container and waits for it; an error means that it could not be run, or took too long.
	Exec func(ctx context.Context, containerID string, cmd []string, timeout time.Duration) (stdout, stderr []byte, code int32, err error)
	// Event records an event about a container. It must not block.
	Event func(pod *v1.Pod, container, eventType, reason, message string)
	Clock Clock        // optional: the system's
	Log   *slog.Logger // optional
}

// Clock is time as tests make it. It times the probes' schedule; their timeouts are real.
type Clock interface {
	Now() time.Time
	After(d time.Duration) <-chan time.Time
}

// Probes runs the probes of a node's containers. Its methods return at once and may be called from any goroutine.
type Probes struct {
	cfg     Config
	results chan pod.ProbeResult
	http    *httpProber

	mu struct {
		sync.Mutex
		running map[target]*running
	}
}

type target struct {
	uid       types.UID
	container string
}

// running is the probes of one incarnation of a container.
type running struct {
	containerID string
	cancel      context.CancelFunc
}

// New starts nothing.
func New(cfg Config) (*Probes, error) {
	if cfg.Exec == nil || cfg.Event == nil {
		return nil, errors.New("configure probes: Exec and Event are required")
	}
	if cfg.Clock == nil {
		cfg.Clock = systemClock{}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	p := &Probes{cfg: cfg, results: make(chan pod.ProbeResult, 64), http: newHTTPProber()}
	p.mu.running = map[target]*running{}
	return p, nil
}

// Results yields every crossing of a threshold.
func (p *Probes) Results() <-chan pod.ProbeResult { return p.results }

// Watch starts the probes of a container that runs, unless they run for this containerID already.
func (p *Probes) Watch(on *v1.Pod, container, containerID string, startedAt time.Time, podIP string) {
	spec := pod.FindContainer(on, container)
	if spec == nil || spec.StartupProbe == nil && spec.ReadinessProbe == nil && spec.LivenessProbe == nil {
		return
	}
	key := target{on.UID, container}
	p.mu.Lock()
	defer p.mu.Unlock()
	if current := p.mu.running[key]; current != nil {
		if current.containerID == containerID {
			return
		}
		current.cancel()
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.mu.running[key] = &running{containerID: containerID, cancel: cancel}
	c := &probed{probes: p, pod: on, spec: spec, containerID: containerID, startedAt: startedAt, podIP: podIP}
	go c.run(ctx)
}

// ForgetContainer ends the probes of one container.
func (p *Probes) ForgetContainer(podUID types.UID, container string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forgetLocked(target{podUID, container})
}

// Forget ends all probes of a pod.
func (p *Probes) Forget(podUID types.UID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key := range p.mu.running {
		if key.uid == podUID {
			p.forgetLocked(key)
		}
	}
}

func (p *Probes) forgetLocked(key target) {
	if current := p.mu.running[key]; current != nil {
		current.cancel()
		delete(p.mu.running, key)
	}
}

// Run ends all probes when ctx is done.
func (p *Probes) Run(ctx context.Context) error {
	<-ctx.Done()
	p.mu.Lock()
	defer p.mu.Unlock()
	for key := range p.mu.running {
		p.forgetLocked(key)
	}
	return ctx.Err()
}

// lastSeen is what the pod's status says about this very container, from before the agent was restarted.
func lastSeen(on *v1.Pod, container, containerID string) (started, ready bool) {
	for _, list := range [][]v1.ContainerStatus{on.Status.ContainerStatuses, on.Status.InitContainerStatuses} {
		for _, status := range list {
			if status.Name == container && strings.HasSuffix(status.ContainerID, "://"+containerID) {
				return status.Started != nil && *status.Started, status.Ready
			}
		}
	}
	return false, false
}

type systemClock struct{}

func (systemClock) Now() time.Time                         { return time.Now() }
func (systemClock) After(d time.Duration) <-chan time.Time { return time.After(d) }
