// Package loop is the part of the scheduler that acts: it follows pods and nodes, asks package scheduler where each
// waiting pod goes, binds it there, and tells the user when there is no place.
//
// One goroutine owns the state and the queue; bindings are written by others, so that a slow write holds nothing up. A pod
// counts on its node from the decision on; when its binding fails it is taken off again and retried. While the API cannot
// be written, pods stay pending and nothing is lost. A lost watch starts over from a new view.
package loop

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/client"
	"proa/kinds"
	"proa/reconcile"
	"proa/scheduler"
	"proa/scheduler/filter"
	"proa/scheduler/state"
)

// SchedulerName is the name that pods ask for us by.
const SchedulerName = v1.DefaultSchedulerName

// Identity is the user that the client must act as.
const Identity = "system:kube-scheduler"

// Config is what a Loop needs. All but Log and Clock are required.
type Config struct {
	Client client.Client // acting as Identity
	Kinds  *kinds.Table
	Log    *slog.Logger
	Clock  reconcile.Clock // nil means the machine's
}

// Loop schedules pods.
type Loop struct {
	cfg      Config
	decide   *scheduler.Scheduler
	state    *state.State
	queue    *queue
	events   *reconcile.Recorder
	outcomes chan outcome  // of bindings
	bindings chan struct{} // limits bindings under way
	writers  sync.WaitGroup
}

// outcome is what became of a binding.
type outcome struct {
	entry *entry
	err   error
	waits filter.Change // what the pod waits for when it could not be bound; 0: nothing but a pause
}

// maxBindings is how many bindings are under way at most: enough to fill one group commit after another.
const maxBindings = 64

const (
	podsTable    = "pods"
	nodesTable   = "nodes"
	claimsTable  = "persistentvolumeclaims"
	volumesTable = "persistentvolumes"
	classesTable = "storageclasses.storage.k8s.io"
	spacesTable  = "namespaces"
	budgetsTable = "poddisruptionbudgets.policy"
)

// New starts nothing.
func New(cfg Config) *Loop {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Clock == nil {
		cfg.Clock = reconcile.SystemClock{}
	}
	return &Loop{
		cfg: cfg, decide: scheduler.New(),
		events:   reconcile.NewRecorder(cfg.Client, cfg.Kinds, SchedulerName, cfg.Clock, cfg.Log),
		outcomes: make(chan outcome, maxBindings), bindings: make(chan struct{}, maxBindings),
	}
}

// Run schedules until ctx ends.
func (l *Loop) Run(ctx context.Context) error {
	defer l.writers.Wait()
	l.events.Background(ctx)
	for ctx.Err() == nil {
		if err := l.session(ctx); err != nil && ctx.Err() == nil {
			l.cfg.Log.Warn("scheduler lost its watch, starts over", "err", err)
			l.pause(ctx)
		}
	}
	return nil
}

// session works from one view on for as long as the watches hold.
func (l *Loop) session(ctx context.Context) error {
	view := l.cfg.Client.View()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	changes := make(chan []client.Event)
	tables := []string{nodesTable, podsTable, claimsTable, volumesTable, classesTable, spacesTable, budgetsTable}
	broken := make(chan error, len(tables))
	for _, table := range tables {
		w, err := l.cfg.Client.Watch(table, view)
		if err != nil {
			return fmt.Errorf("watch %s: %w", table, err)
		}
		go func() { broken <- forward(ctx, w, changes) }()
	}
	l.load(view)
	timer := make(chan struct{}, 1)
	for {
		l.schedule(ctx)
		stop := l.arm(timer)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-broken:
			return err
		case events := <-changes:
			for _, e := range events {
				l.observe(e)
			}
		case o := <-l.outcomes:
			l.settle(o)
		case <-timer:
			l.queue.advance(l.cfg.Clock.Now())
		}
		stop()
	}
}

// forward hands the events of one watch to the session.
func forward(ctx context.Context, w client.Watcher, to chan<- []client.Event) error {
	for {
		events, err := w.Next(ctx)
		if err != nil {
			return err
		}
		batch := append([]client.Event(nil), events...) // the slice is reused by the next call
		select {
		case to <- batch:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// arm has the timer fire when the next pause is over.
func (l *Loop) arm(timer chan struct{}) (stop func()) {
	now := l.cfg.Clock.Now()
	next := l.queue.advance(now)
	if next.IsZero() {
		return func() {}
	}
	t := l.cfg.Clock.AfterFunc(next.Sub(now), func() {
		select {
		case timer <- struct{}{}:
		default:
		}
	})
	return func() { t.Stop() }
}

// load takes the whole state of a view.
func (l *Loop) load(view client.View) {
	l.state, l.queue = state.New(), newQueue()
	for node := range client.List[*v1.Node](view, nodesTable, "") {
		l.state.SetNode(node)
	}
	for _, table := range []string{claimsTable, volumesTable, classesTable, spacesTable, budgetsTable} {
		for obj := range view.List(table, "") {
			l.setOther(obj, false)
		}
	}
	for pod := range client.List[*v1.Pod](view, podsTable, "") {
		l.setPod(pod)
	}
}

// observe takes one change into the state and wakes whom it may help.
func (l *Loop) observe(e client.Event) {
	now := l.cfg.Clock.Now()
	switch obj := e.Object.(type) {
	case *v1.Pod:
		if e.Type == client.Deleted {
			l.forget(obj.UID)
			return
		}
		l.setPod(obj)
	case *v1.Node:
		if e.Type == client.Deleted {
			l.state.DeleteNode(obj.Name)
			return
		}
		old, _ := e.Old.(*v1.Node)
		l.state.SetNode(obj)
		if change := nodeChange(old, obj); change != 0 {
			l.queue.wake(change, now)
		}
	default:
		if l.setOther(obj, e.Type == client.Deleted) {
			l.queue.wake(filter.Volumes, now)
		}
	}
}

// setOther takes what is neither pod nor node into the state, or out of it. It says whether it has to do with storage.
func (l *Loop) setOther(obj client.Object, gone bool) (storage bool) {
	switch obj := obj.(type) {
	case *v1.PersistentVolumeClaim:
		if gone {
			l.state.Volumes.DeleteClaim(obj.Namespace, obj.Name)
		} else {
			l.state.Volumes.SetClaim(obj)
		}
	case *v1.PersistentVolume:
		if gone {
			l.state.Volumes.DeleteVolume(obj.Name)
		} else {
			l.state.Volumes.SetVolume(obj)
		}
	case *storagev1.StorageClass:
		if gone {
			l.state.Volumes.DeleteClass(obj.Name)
		} else {
			l.state.Volumes.SetClass(obj)
		}
	case *v1.Namespace:
		if gone {
			l.state.DeleteNamespace(obj.Name)
		} else {
			l.state.SetNamespace(obj.Name, obj.Labels)
		}
		return false
	case *policyv1.PodDisruptionBudget:
		if gone {
			l.state.Budgets.Delete(obj.Namespace, obj.Name)
		} else {
			l.state.Budgets.Set(obj)
		}
		return false
	}
	return true
}

// setPod files a pod where it belongs: on its node, in the queue, or nowhere.
func (l *Loop) setPod(pod *v1.Pod) {
	switch {
	case pod.Status.Phase == v1.PodSucceeded || pod.Status.Phase == v1.PodFailed:
		l.forget(pod.UID)
	case pod.Spec.NodeName != "":
		l.queue.remove(pod.UID)
		p := state.NewPod(pod)
		l.state.Nominate(p, "")
		if l.state.PlacedOn(pod.UID) != pod.Spec.NodeName {
			l.queue.wake(filter.PodPlaced, l.cfg.Clock.Now())
		}
		l.state.Place(p, pod.Spec.NodeName)
	case pod.DeletionTimestamp != nil || pod.Spec.SchedulerName != SchedulerName || len(pod.Spec.SchedulingGates) > 0:
		l.queue.remove(pod.UID)
	case l.state.PlacedOn(pod.UID) != "":
		// Its binding is under way.
	default:
		l.offer(pod)
		l.state.Nominate(l.queue.pods[pod.UID].pod, pod.Status.NominatedNodeName)
	}
}

// offer queues a pod unless the queue knows it as it is: our own status writes must not wake it.
func (l *Loop) offer(pod *v1.Pod) {
	if e := l.queue.pods[pod.UID]; e != nil && e.pod.Pod.Generation == pod.Generation && sameMeta(e.pod.Pod, pod) {
		e.pod.Pod = pod
		return
	}
	l.queue.push(state.NewPod(pod))
}

func (l *Loop) forget(uid types.UID) {
	l.state.Nominate(&state.Pod{Pod: &v1.Pod{ObjectMeta: metav1.ObjectMeta{UID: uid}}}, "")
	l.queue.remove(uid)
	if l.state.Remove(uid) {
		l.queue.wake(filter.PodGone, l.cfg.Clock.Now())
	}
}

// schedule decides about all ready pods.
func (l *Loop) schedule(ctx context.Context) {
	for e := l.queue.pop(); e != nil; e = l.queue.pop() {
		d := l.decide.Schedule(l.state, e.pod)
		if d.Node == "" {
			l.queue.reject(e, d.Waits, l.cfg.Clock.Now())
			l.reject(ctx, e, d.Reason)
			if d.Preempt != nil {
				l.preempt(ctx, e, d.Preempt)
			}
			continue
		}
		l.state.Place(e.pod, d.Node)
		if len(d.Volumes) > 0 {
			l.provide(ctx, e, d)
		} else {
			l.bind(ctx, e, d.Node)
		}
	}
}

// settle finishes a pod whose binding has been answered.
func (l *Loop) settle(o outcome) {
	uid := o.entry.pod.Pod.UID
	if o.err == nil || l.queue.pods[uid] != o.entry {
		if o.err == nil {
			l.queue.remove(uid)
		}
		return
	}
	l.state.Remove(uid)
	if o.waits == filter.Volumes && len(filter.Open(l.state.Volumes, o.entry.pod.Pod)) == 0 {
		l.queue.makeReady(o.entry) // the volumes came before the answer did
		return
	}
	l.queue.reject(o.entry, o.waits, l.cfg.Clock.Now())
}

// retryAfter is how long a session waits after it broke, so that a refusing API is not hammered.
const retryAfter = time.Second

func (l *Loop) pause(ctx context.Context) {
	over := make(chan struct{})
	t := l.cfg.Clock.AfterFunc(retryAfter, func() { close(over) })
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-over:
	}
}
