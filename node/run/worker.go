package run

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/internal/pause"
	"proa/node/pod"
)

// worker runs one pod: its goroutine alone touches the machine; actions run beside it and report back by mail.
type worker struct {
	runner  *Runner
	uid     types.UID
	log     *slog.Logger
	machine *pod.Machine
	status  *statusWriter
	wake    chan struct{} // mail arrived
	orphan  bool          // the API does not know the pod: write no status, record no events
	static  bool          // the pod is the node's own
	leaving bool          // a static pod was told to go; guarded by the runner's mu

	mu struct {
		sync.Mutex
		mail      []pod.Event
		hostPaths map[string]string
		served    Served
		dones     int // actions that ended: an observation that began before the last one is stale
		observing bool
		again     bool
	}
	cancels map[string]context.CancelCauseFunc // of actions under way; the goroutine's alone
	acts    sync.WaitGroup
}

func newWorker(r *Runner, p *v1.Pod) *worker {
	w := &worker{
		runner:  r,
		uid:     p.UID,
		log:     r.Log.With("pod", p.Namespace+"/"+p.Name),
		machine: pod.New(p, pod.Host{IPs: r.Settings.HostIPs}),
		wake:    make(chan struct{}, 1),
		static:  pod.IsStatic(p),
		cancels: map[string]context.CancelCauseFunc{},
	}
	w.status = newStatusWriter(r.Client, p, w.log)
	w.mu.served.Pod = p
	return w
}

// send puts an event in the mailbox. It never blocks.
func (w *worker) send(e pod.Event) {
	w.mu.Lock()
	w.mu.mail = append(w.mu.mail, e)
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *worker) receive() []pod.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	mail := w.mu.mail
	w.mu.mail = nil
	return mail
}

// run steps the machine until the pod is gone or ctx ends.
func (w *worker) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	w.acts.Add(1)
	go func() { defer w.acts.Done(); w.status.run(ctx) }()
	defer w.acts.Wait()
	defer cancel()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		mail := w.receive()
		if len(mail) == 0 {
			select {
			case <-ctx.Done():
				return
			case <-w.wake:
				continue
			case <-timer.C:
				mail = []pod.Event{pod.Tick{}}
			}
		}
		var wake time.Time
		for _, event := range mail {
			if wake = w.step(ctx, event); w.machine.State() == pod.Gone {
				w.bury()
				return
			}
		}
		if wake.IsZero() {
			timer.Reset(time.Hour)
		} else {
			timer.Reset(time.Until(wake))
		}
	}
}

// step takes one event and starts what follows from it.
func (w *worker) step(ctx context.Context, event pod.Event) (wake time.Time) {
	step := w.machine.Step(time.Now(), event)
	if step.From != step.To {
		w.log.Info("pod state", "from", step.From, "to", step.To)
	}
	if done, ok := event.(pod.Done); ok {
		w.ended(done.Action)
	}
	w.publish(step.Status)
	for _, a := range step.Actions {
		w.act(ctx, a)
	}
	return step.Wake
}

// publish hands the status to its writer and to those who look the pod up.
func (w *worker) publish(status v1.PodStatus) {
	w.mu.Lock()
	served := Served{Pod: w.machine.Pod(), Status: status}
	if s := w.machine.Sandbox(); s != nil {
		served.SandboxID, served.IPs = s.ID, s.IPs
	}
	for _, c := range w.machine.Containers() {
		served.Containers = append(served.Containers, ServedContainer{
			Name: c.Name, ID: c.ID, Attempt: uint32(c.Attempt), Running: c.Running(), LogPath: c.LogPath,
		})
	}
	w.mu.served = served
	w.mu.Unlock()
	if !w.orphan {
		w.status.want(w.machine.Pod(), status)
	}
}

// bury removes the pod's folders and the worker itself; nothing of the pod is left.
func (w *worker) bury() {
	settings := w.runner.Settings
	// Of an orphan only the uid may be known, so its logs are found by that.
	dirs, err := filepath.Glob(filepath.Join(settings.LogRoot, "*_"+string(w.uid)))
	if err != nil {
		dirs = []string{settings.LogDir(w.machine.Pod())}
	}
	for _, dir := range append(dirs, settings.PodDir(w.uid)) {
		if err := os.RemoveAll(dir); err != nil {
			w.log.Warn("remove folder of pod", "error", err)
		}
	}
	w.runner.retire(w)
}

// observe reads the runtime's state of the pod and mails it, unless an action ended meanwhile: then it reads again.
func (w *worker) observe(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mu.observing {
		w.mu.again = true
		return
	}
	w.mu.observing = true
	w.runner.wg.Add(1) // the caller is counted there too
	go func() { defer w.runner.wg.Done(); w.observeUntilFresh(ctx) }()
}

func (w *worker) observeUntilFresh(ctx context.Context) {
	for ctx.Err() == nil {
		w.mu.Lock()
		w.mu.again = false
		dones := w.mu.dones
		w.mu.Unlock()
		states, err := w.runner.Runtime.List(ctx, w.uid)
		if err != nil {
			w.log.Warn("read pod from runtime", "error", err)
			pause.For(ctx, time.Second)
		}
		w.mu.Lock()
		fresh := err == nil && dones == w.mu.dones && !w.mu.again
		if fresh {
			w.mu.observing = false
			seen := pod.Observed{Full: true}
			if state := states[w.uid]; state != nil {
				seen.Sandboxes, seen.Containers = state.Sandboxes, state.Containers
			}
			w.mu.mail = append(w.mu.mail, seen)
		}
		w.mu.Unlock()
		if fresh {
			select {
			case w.wake <- struct{}{}:
			default:
			}
			return
		}
	}
}
