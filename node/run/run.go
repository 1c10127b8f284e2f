// Package run performs what node/pod decides: one worker per pod, owned by Run.
//
// It reads pods of its node from the API and containers from the runtime's event stream, feeds both to the pods' machines, and
// does what they ask for: over CRI, on volumes and cgroups, in the pods' statuses. It owns the folders of pods and their logs.
// When the API is gone, pods keep running and statuses are written later. When the runtime is gone, actions fail and are
// retried; nothing is decided from what cannot be seen. When Run ends, containers stay: the next agent adopts them.
package run

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/client"
	"proa/internal/pause"
	"proa/node/cri"
	"proa/node/pod"
)

// Config says what an agent's core works with. All fields are required unless said otherwise.
type Config struct {
	NodeName string
	Client   client.Client // acts as system:node:NAME
	Runtime  Runtime
	Settings *cri.Settings
	Cgroups  Cgroups
	Volumes  Volumes
	Probes   Probes
	Events   Recorder
	Admit    func(p *v1.Pod) *pod.Refused // optional: refuses pods while the node is short of something
	Log      *slog.Logger
	// Borrow takes an image, by the name in the spec, from another node of this machine; false when none has it. Optional.
	Borrow func(ctx context.Context, image string) (bool, error)
	Relist time.Duration // optional: how often the runtime is listed as a safety net; default 2 minutes
}

// Runner runs the pods of one node.
type Runner struct {
	Config
	slots      chan struct{} // limits what starts at the same time
	staticWake chan struct{} // the node's own pods, or room for them, changed
	wg         sync.WaitGroup

	weighing sync.Mutex // held by weigh; taken before mu
	weight   int64      // of all burstable pods, as the cgroup was told; guarded by weighing

	mu struct {
		sync.Mutex
		workers map[types.UID]*worker
		listed  map[types.UID]*cri.PodState // from the newest list of the runtime
		static  map[types.UID]*v1.Pod       // the node's own
		buried  map[types.UID]bool          // done here, but the API may still send news about them
	}
}

// maxStarts bounds sandboxes and containers being started at once: more only makes each of them slower.
const maxStarts = 8

const defaultRelist = 2 * time.Minute

// New makes a runner; Run starts it.
func New(config Config) *Runner {
	if config.Relist == 0 {
		config.Relist = defaultRelist
	}
	r := &Runner{Config: config, slots: make(chan struct{}, maxStarts), staticWake: make(chan struct{}, 1)}
	r.mu.workers, r.mu.buried = map[types.UID]*worker{}, map[types.UID]bool{}
	return r
}

// Run works until ctx ends and leaves the containers running. It returns an error only when it could not begin.
func (r *Runner) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer r.wg.Wait()
	defer cancel()
	if err := r.Runtime.WaitReady(ctx); err != nil {
		return err
	}
	if err := r.list(ctx); err != nil {
		return err
	}
	for _, loop := range []func(context.Context){r.watchPods, r.followStatic, r.watchRuntime, r.watchProbes, r.rotateLogs} {
		r.wg.Add(1)
		go func() { defer r.wg.Done(); loop(ctx) }()
	}
	<-ctx.Done()
	return nil
}

// list reads the runtime's state of all pods, and tells every worker that looks at a full picture it may rely on.
func (r *Runner) list(ctx context.Context) error {
	states, err := r.Runtime.List(ctx, "")
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.listed = states
	return nil
}

// watchPods follows the pods that are bound to this node.
func (r *Runner) watchPods(ctx context.Context) {
	for ctx.Err() == nil {
		view := r.Client.View()
		r.takeView(ctx, view)
		watcher, err := r.Client.Watch("pods", view)
		for err == nil {
			var events []client.Event
			if events, err = watcher.Next(ctx); err == nil {
				for _, e := range events {
					r.takePod(ctx, e)
				}
			}
		}
		if ctx.Err() == nil {
			r.Log.Info("watch pods again", "error", err)
			pause.For(ctx, time.Second)
		}
	}
}

// takeView makes the workers what the view says, and finds what is left of pods that the API does not have.
func (r *Runner) takeView(ctx context.Context, view client.View) {
	known := map[types.UID]bool{}
	for p := range client.List[*v1.Pod](view, "pods", "") {
		switch {
		case p.Spec.NodeName != r.NodeName:
		case pod.IsMirror(p):
			r.showBy(p)
		default:
			known[p.UID] = true
			r.desire(ctx, p)
		}
	}
	r.mu.Lock()
	for uid := range r.mu.static {
		known[uid] = true
	}
	maps.DeleteFunc(r.mu.buried, func(uid types.UID, _ bool) bool { return !known[uid] })
	r.mu.Unlock()
	for _, w := range r.allWorkers() {
		if !known[w.uid] && !w.static {
			w.send(pod.Vanished{})
		}
	}
	r.sweep(ctx, known)
}

func (r *Runner) takePod(ctx context.Context, e client.Event) {
	p, ok := e.Object.(*v1.Pod)
	if !ok || p.Spec.NodeName != r.NodeName {
		return
	}
	if pod.IsMirror(p) {
		if e.Type == client.Deleted {
			r.hide(p)
		} else {
			r.showBy(p)
		}
		return
	}
	if e.Type == client.Deleted {
		if w := r.find(p.UID); w != nil {
			w.send(pod.Vanished{})
		}
		r.mu.Lock()
		delete(r.mu.buried, p.UID)
		r.mu.Unlock()
		return
	}
	r.desire(ctx, p)
}

func (r *Runner) desire(ctx context.Context, p *v1.Pod) {
	if w := r.worker(ctx, p); w != nil {
		w.send(pod.Desired{Pod: p})
	}
}

func (r *Runner) find(uid types.UID) *worker {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.workers[uid]
}

func (r *Runner) allWorkers() []*worker {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]*worker, 0, len(r.mu.workers))
	for _, w := range r.mu.workers {
		all = append(all, w)
	}
	return all
}

// worker returns the worker of a pod, a new one with the newest listed state if there is none; nil when the pod is done with.
func (r *Runner) worker(ctx context.Context, p *v1.Pod) *worker {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w := r.mu.workers[p.UID]; w != nil {
		return w
	}
	if r.mu.buried[p.UID] {
		return nil
	}
	w := newWorker(r, p)
	r.mu.workers[p.UID] = w
	seen := pod.Observed{Full: true}
	if state := r.mu.listed[p.UID]; state != nil {
		seen.Sandboxes, seen.Containers = state.Sandboxes, state.Containers
	}
	if refused := r.admitLocked(p, &seen); refused != nil {
		w.send(*refused)
	}
	w.send(seen)
	r.wg.Add(1)
	go func() { defer r.wg.Done(); w.run(ctx) }()
	return w
}

// retire forgets a worker whose pod is gone.
func (r *Runner) retire(w *worker) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.mu.workers, w.uid)
	delete(r.mu.listed, w.uid)
	if !w.orphan && !w.machine.Vanished() {
		r.mu.buried[w.uid] = true
	}
	if w.static {
		r.lookAtStatic()
	}
}

// watchRuntime feeds the runtime's events to the workers. After every gap it lists, because events are not kept.
func (r *Runner) watchRuntime(ctx context.Context) {
	relist := make(chan struct{}, 1)
	r.wg.Add(1)
	go func() { defer r.wg.Done(); r.relist(ctx, relist) }()
	ask := func() {
		select {
		case relist <- struct{}{}:
		default:
		}
	}
	for ctx.Err() == nil {
		err := r.Runtime.Watch(ctx, ask, func(c cri.Change) {
			if w := r.find(c.UID); w != nil {
				w.send(c.State)
			}
		})
		if ctx.Err() == nil {
			r.Log.Warn("runtime events ended", "error", err)
			pause.For(ctx, 500*time.Millisecond)
		}
	}
}

// relist has every worker look again: soon after it is asked to, and every Relist as a net below the events.
func (r *Runner) relist(ctx context.Context, ask <-chan struct{}) {
	const settle = 2 * time.Second // the runtime registers a new listener a moment after it accepted it
	for {
		select {
		case <-ctx.Done():
			return
		case <-ask:
			pause.For(ctx, settle)
		case <-time.After(r.Relist):
		}
		for _, w := range r.allWorkers() {
			w.observe(ctx)
		}
	}
}

func (r *Runner) watchProbes(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case result := <-r.Probes.Results():
			if w := r.find(result.PodUID); w != nil {
				w.send(pod.Probed{ProbeResult: result})
			}
		}
	}
}

// errStopping ends what was interrupted on purpose.
var errStopping = errors.New("pod is being stopped")
