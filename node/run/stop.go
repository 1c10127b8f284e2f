package run

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/node/pod"
)

// minimumGrace is what the runtime is given even when hooks used all the time up.
const minimumGrace = 2 * time.Second

// stopContainer runs the preStop hook and stops the container, both within the grace period.
func (w *worker) stopContainer(ctx context.Context, p *v1.Pod, a pod.Action, ips []string) error {
	grace := time.Duration(a.Grace) * time.Second
	begun := time.Now()
	if c := pod.FindContainer(p, a.Container); c != nil && c.Lifecycle != nil && c.Lifecycle.PreStop != nil && grace > 0 {
		hookCtx, cancel := context.WithTimeout(ctx, grace)
		err := w.hook(hookCtx, c, a.ID, c.Lifecycle.PreStop, ips)
		cancel()
		if ctx.Err() != nil {
			return context.Cause(ctx) // hurried: another stop took over
		}
		if err != nil {
			w.log.Info("preStop hook failed", "container", a.Container, "error", err)
			w.runner.Events.Event(p, a.Container, v1.EventTypeWarning, "FailedPreStopHook", "PreStopHook failed")
		}
	}
	left := max(grace-time.Since(begun), minimumGrace)
	err := w.runner.Runtime.StopContainer(ctx, a.ID, left)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// removeContainer removes a container with its logs: no status speaks of it any more.
func (w *worker) removeContainer(ctx context.Context, id string) error {
	for _, c := range w.served().Containers {
		if c.ID == id && c.LogPath != "" {
			for _, file := range logFiles(c.LogPath) {
				if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
					return fmt.Errorf("remove log: %w", err)
				}
			}
		}
	}
	return w.runner.Runtime.RemoveContainer(ctx, id)
}

// release gives back what the pod held beside its containers.
func (w *worker) release(ctx context.Context) error {
	return errors.Join(w.runner.Volumes.Release(ctx, w.uid), w.runner.Cgroups.Remove(ctx, w.uid))
}

// deleteFromAPI ends the pod's deletion once its last status is written: the agent says that nothing of it runs any more.
func (w *worker) deleteFromAPI(ctx context.Context, p *v1.Pod) error {
	if w.orphan {
		return nil
	}
	if err := w.status.flush(ctx); err != nil {
		return err
	}
	zero, uid := int64(0), p.UID
	err := w.runner.Client.Delete(ctx, client.RefOf("pods", p), metav1.DeleteOptions{
		GracePeriodSeconds: &zero, Preconditions: &metav1.Preconditions{UID: &uid},
	})
	if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return fmt.Errorf("delete pod: %w", err)
}

func (w *worker) served() Served {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.served
}
