package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	watcherCount = 100
	watchWrites  = 500

	watchedPrefix = "watched-"
)

// watchers lets many clients watch a namespace while config maps are created in it: events seen by all of them together in
// a second, and the worst time from the call of a create until a watcher has read its event.
func (a *apiRun) watchers(ctx context.Context) error {
	maps := target{"configmaps", benchPods.namespace}
	var now corev1.ConfigMapList
	if err := a.list(ctx, maps, "", &now); err != nil {
		return fmt.Errorf("list config maps: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	streams := make([]io.ReadCloser, watcherCount)
	for i := range streams {
		stream, err := a.callers[i%callers].watchRaw(ctx, maps, now.ResourceVersion)
		if err != nil {
			return fmt.Errorf("watch config maps: %w", err)
		}
		defer stream.Close()
		streams[i] = stream
	}
	called := make([]time.Time, watchWrites)
	seen, ended := make([][]time.Time, watcherCount), make([]error, watcherCount)
	var all sync.WaitGroup
	for i, stream := range streams {
		seen[i] = make([]time.Time, watchWrites)
		all.Go(func() { ended[i] = see(stream, seen[i]) })
	}
	before, err := cpuTime(a.pids...)
	if err != nil {
		return err
	}
	begin := time.Now()
	if _, err := (load{callers: callers, count: watchWrites, do: func(ctx context.Context, caller, n int) error {
		called[n] = time.Now()
		made := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: watchedPrefix + strconv.Itoa(n)}, Data: map[string]string{"key": "value"}}
		return a.callers[caller].createOnly(ctx, maps, made)
	}}).run(ctx); err != nil {
		return fmt.Errorf("create config maps: %w", err)
	}
	all.Wait()
	took := time.Since(begin)
	for _, err := range ended {
		if err != nil { // the others will say the same
			return fmt.Errorf("watch config maps: %w", err)
		}
	}
	var worst time.Duration
	for _, times := range seen {
		for n, at := range times {
			worst = max(worst, at.Sub(called[n]))
		}
	}
	after, err := cpuTime(a.pids...)
	if err != nil {
		return err
	}
	a.out("watch.cpu", float64((after-before).Microseconds())/(watcherCount*watchWrites))
	a.out("watch", watcherCount*watchWrites/took.Seconds())
	a.out("watch.worst", float64(worst.Milliseconds()))
	return nil
}

// see notes when each config map was first seen and returns when all were; an error when the watch ended before.
func see(stream io.Reader, at []time.Time) error {
	left := len(at)
	err := frames(stream, func(event []byte) (bool, error) {
		n, ours := numberAfter(event, watchedPrefix)
		if !ours || n >= len(at) || !at[n].IsZero() {
			return false, nil
		}
		at[n] = time.Now()
		left--
		return left == 0, nil
	})
	if err != nil {
		return fmt.Errorf("%d events missing: %w", left, err)
	}
	return nil
}
