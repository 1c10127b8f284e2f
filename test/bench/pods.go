package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
)

const (
	singlePods = 30
	burstPods  = 50
)

// startPods starts pods one after another. The times are those of a client: from the call of create until its watch has
// decoded the event.
func startPods(ctx context.Context, c *client, out report) error {
	w, err := c.watch(ctx, benchPods, "")
	if err != nil {
		return fmt.Errorf("watch pods: %w", err)
	}
	defer w.Stop()
	var took []time.Duration
	for i := range singlePods {
		name := "single-" + strconv.Itoa(i)
		begin := time.Now()
		if err := c.create(ctx, benchPods, idlePod(name), &corev1.Pod{}); err != nil {
			return fmt.Errorf("create pod: %w", err)
		}
		at, err := awaitPod(w, name, running)
		if err != nil {
			return err
		}
		took = append(took, at.Sub(begin))
		if err := c.remove(ctx, benchPods, name); err != nil {
			return fmt.Errorf("delete pod: %w", err)
		}
		if _, err := awaitPod(w, name, gone); err != nil {
			return err
		}
	}
	slices.Sort(took)
	out("pod.p50", quantile(took, .5))
	out("pod.p99", quantile(took, .99))
	return nil
}

// burst creates many pods at once and deletes them together.
func burst(ctx context.Context, c *client, w watch.Interface, out report) error {
	begin := time.Now()
	if _, err := (load{callers: callers, count: burstPods, do: func(ctx context.Context, caller, n int) error {
		return c.create(ctx, benchPods, idlePod("burst-"+strconv.Itoa(n)), &corev1.Pod{})
	}}).run(ctx); err != nil {
		return fmt.Errorf("create pods: %w", err)
	}
	for _, phase := range []struct {
		id    string
		start func() error
		is    func(watch.Event, *corev1.Pod) bool
	}{
		{"burst.running", func() error { return nil }, running},
		{"burst.gone", func() error { begin = time.Now(); return c.removeAll(ctx, benchPods, 1) }, gone},
	} {
		if err := phase.start(); err != nil {
			return fmt.Errorf("burst of pods: %w", err)
		}
		for left := map[string]bool{}; len(left) < burstPods; {
			e, open := <-w.ResultChan()
			if !open {
				return fmt.Errorf("burst of pods: %s: %d of %d", phase.id, len(left), burstPods)
			}
			if pod, ok := e.Object.(*corev1.Pod); ok && phase.is(e, pod) {
				left[pod.Name] = true
			}
		}
		out(phase.id, time.Since(begin).Seconds())
	}
	return nil
}

func running(_ watch.Event, pod *corev1.Pod) bool { return pod.Status.Phase == corev1.PodRunning }
func gone(e watch.Event, _ *corev1.Pod) bool      { return e.Type == watch.Deleted }

// awaitPod returns when an event about a pod is seen that says what is awaited, and the time of that.
func awaitPod(w watch.Interface, name string, is func(watch.Event, *corev1.Pod) bool) (time.Time, error) {
	for e := range w.ResultChan() {
		if pod, ok := e.Object.(*corev1.Pod); ok && pod.Name == name && is(e, pod) {
			return time.Now(), nil
		}
	}
	return time.Time{}, fmt.Errorf("wait for pod %s: the watch ended", name)
}
