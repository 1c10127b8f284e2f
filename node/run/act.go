package run

import (
	"context"
	"fmt"
	"time"

	"proa/node/pod"
)

// act starts one action. What takes time runs beside the worker and mails a Done.
func (w *worker) act(ctx context.Context, a pod.Action) {
	switch a.Verb {
	case pod.Record:
		if !w.orphan {
			w.runner.Events.Event(w.machine.Pod(), a.Container, a.EventType, a.Reason, a.Message)
		}
	case pod.Observe:
		w.observe(ctx)
	case pod.CancelStarts:
		w.cancelStarts()
	case pod.WatchProbes:
		w.watchProbes(a)
	case pod.ForgetProbes:
		if a.Container == "" {
			w.runner.Probes.Forget(w.uid)
		} else {
			w.runner.Probes.ForgetContainer(w.uid, a.Container)
		}
	default:
		w.begin(ctx, a)
	}
}

// begin performs an action that is reported. A second one for the same object takes the place of the first.
func (w *worker) begin(ctx context.Context, a pod.Action) {
	ctx, cancel := context.WithCancelCause(ctx)
	key := cancelKey(a)
	if before := w.cancels[key]; before != nil {
		before(errStopping)
	}
	w.cancels[key] = cancel
	task := w.task(a)
	w.acts.Add(1)
	go func() {
		defer w.acts.Done()
		begun := time.Now()
		done := task(ctx)
		done.Action = a
		if done.Err != nil {
			w.log.Info("action failed", "action", a.String(), "error", done.Err)
		} else {
			w.log.Debug("action done", "action", a.String(), "took", time.Since(begun))
		}
		w.mu.Lock()
		w.mu.dones++
		w.mu.Unlock()
		cancel(nil)
		w.send(done)
	}()
}

func cancelKey(a pod.Action) string { return string(a.Verb) + "/" + a.Container + "/" + a.ID }

// ended forgets how to cancel an action that ended, unless another took its place.
func (w *worker) ended(a pod.Action) {
	if !a.Starts() && a.Verb != pod.StopContainer {
		delete(w.cancels, cancelKey(a))
	}
}

func (w *worker) cancelStarts() {
	for key, cancel := range w.cancels {
		if starts(key) {
			cancel(errStopping)
		}
	}
}

func starts(key string) bool {
	for i := range key {
		if key[i] == '/' {
			return pod.Action{Verb: pod.Verb(key[:i])}.Starts()
		}
	}
	return false
}

func (w *worker) watchProbes(a pod.Action) {
	for _, c := range w.machine.Containers() {
		if c.ID == a.ID {
			ip := ""
			if ips := w.podIPs(); len(ips) > 0 {
				ip = ips[0]
			}
			w.runner.Probes.Watch(w.machine.Pod(), a.Container, a.ID, c.StartedAt, ip)
		}
	}
}

// podIPs are the addresses the pod is reached at. For the worker's goroutine.
func (w *worker) podIPs() []string {
	if w.machine.Pod().Spec.HostNetwork {
		return w.runner.Settings.HostIPs
	}
	if s := w.machine.Sandbox(); s != nil {
		return s.IPs
	}
	return nil
}

// task binds an action to what the worker knows now. The function it returns runs on another goroutine.
func (w *worker) task(a pod.Action) func(context.Context) pod.Done {
	p, ips := w.machine.Pod(), w.podIPs()
	switch a.Verb {
	case pod.PrepareVolumes:
		return func(ctx context.Context) pod.Done { return pod.Done{Err: w.prepareVolumes(ctx, p)} }
	case pod.RunSandbox:
		return func(ctx context.Context) pod.Done { return w.runSandbox(ctx, p, a) }
	case pod.EnsureImage:
		return func(ctx context.Context) pod.Done { return w.ensureImage(ctx, p, a) }
	case pod.StartContainer:
		return func(ctx context.Context) pod.Done { return w.startContainer(ctx, p, a, ips, w.hostPaths()) }
	case pod.PostStart:
		return func(ctx context.Context) pod.Done { return pod.Done{Err: w.postStart(ctx, p, a, ips)} }
	case pod.StopContainer:
		return func(ctx context.Context) pod.Done { return pod.Done{Err: w.stopContainer(ctx, p, a, ips)} }
	case pod.Resize:
		running := runningIDs(w.machine.Containers())
		return func(ctx context.Context) pod.Done { return pod.Done{Err: w.resize(ctx, p, running)} }
	case pod.StopSandbox:
		return func(ctx context.Context) pod.Done { return pod.Done{Err: w.runner.Runtime.StopSandbox(ctx, a.ID)} }
	case pod.RemoveSandbox:
		return func(ctx context.Context) pod.Done { return pod.Done{Err: w.runner.Runtime.RemoveSandbox(ctx, a.ID)} }
	case pod.RemoveContainer:
		return func(ctx context.Context) pod.Done { return pod.Done{Err: w.removeContainer(ctx, a.ID)} }
	case pod.Release:
		return func(ctx context.Context) pod.Done { return pod.Done{Err: w.release(ctx)} }
	case pod.DeleteFromAPI:
		return func(ctx context.Context) pod.Done { return pod.Done{Err: w.deleteFromAPI(ctx, p)} }
	}
	return func(context.Context) pod.Done { return pod.Done{Err: fmt.Errorf("no way to %s", a.Verb)} }
}
