package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

const (
	watcherCount = 100
	watchWrites  = 500
)

// watchers lets many clients watch a namespace while config maps are created in it: events seen by all of them together in
// a second, and the worst time from the call of a create until a watcher has decoded its event.
func (a *apiRun) watchers(ctx context.Context) error {
	maps := target{"configmaps", benchPods.namespace}
	var now corev1.ConfigMapList
	if err := a.list(ctx, maps, "", &now); err != nil {
		return fmt.Errorf("list config maps: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	streams := make([]watch.Interface, watcherCount)
	for i := range streams {
		w, err := a.client.watch(ctx, maps, now.ResourceVersion)
		if err != nil {
			return fmt.Errorf("watch config maps: %w", err)
		}
		defer w.Stop()
		streams[i] = w
	}
	called := make([]time.Time, watchWrites)
	seen, ended := make([][]time.Time, watcherCount), make([]error, watcherCount)
	var all sync.WaitGroup
	for i, w := range streams {
		seen[i] = make([]time.Time, watchWrites)
		all.Go(func() { ended[i] = see(w, seen[i]) })
	}
	begin := time.Now()
	if _, err := (load{callers: callers, count: watchWrites, do: func(ctx context.Context, n int) error {
		called[n] = time.Now()
		made := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "watched-" + strconv.Itoa(n)}, Data: map[string]string{"key": "value"}}
		return a.create(ctx, maps, made, &corev1.ConfigMap{})
	}}).run(ctx); err != nil {
		return fmt.Errorf("create config maps: %w", err)
	}
	all.Wait()
	took := time.Since(begin)
	if err := errors.Join(ended...); err != nil {
		return fmt.Errorf("watch config maps: %w", err)
	}
	var worst time.Duration
	for _, times := range seen {
		for n, at := range times {
			worst = max(worst, at.Sub(called[n]))
		}
	}
	a.out("watch", watcherCount*watchWrites/took.Seconds())
	a.out("watch.worst", float64(worst.Milliseconds()))
	return nil
}

// see notes when each config map was first seen and returns when all were; an error when the watch ended before.
func see(w watch.Interface, at []time.Time) error {
	left := len(at)
	for e := range w.ResultChan() {
		if e.Type == watch.Error {
			return fmt.Errorf("%d events missing: %w", left, apierrors.FromObject(e.Object))
		}
		m, ok := e.Object.(*corev1.ConfigMap)
		if !ok || e.Type != watch.Added {
			continue
		}
		number, ours := strings.CutPrefix(m.Name, "watched-")
		n, err := strconv.Atoi(number)
		if !ours || err != nil || !at[n].IsZero() {
			continue
		}
		at[n] = time.Now()
		if left--; left == 0 {
			return nil
		}
	}
	return fmt.Errorf("the watch ended, %d events missing", left)
}
