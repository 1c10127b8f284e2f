package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"
)

// fanOut is a number of watchers, each over a connection of its own as nodes are, and of writes that all of them see.
type fanOut struct {
	id               string // of its figures
	watchers, writes int
}

var fanOuts = []fanOut{{"watch", 100, 5000}, {"watch.many", 1000, 3000}}

// fanOut lets many clients watch a namespace while config maps are created in it: events seen by all of them together in
// a second, and the worst time from the call of a create until a watcher has read its event.
func (a *apiRun) fanOut(ctx context.Context, w fanOut) error {
	maps := target{"configmaps", benchPods.namespace}
	var now corev1.ConfigMapList
	if err := a.list(ctx, maps, "", &now); err != nil {
		return fmt.Errorf("list config maps: %w", err)
	}
	watchers, err := a.dial(ctx, w.watchers)
	if err != nil {
		return err
	}
	defer hangUp(watchers, nil)
	bodies := make([][]byte, w.writes)
	for n := range bodies {
		made := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: w.id + "-" + strconv.Itoa(n)}, Data: map[string]string{"key": "value"}}
		if bodies[n], err = encoded(made); err != nil {
			return err
		}
	}
	for _, c := range watchers {
		if err := c.watch(maps, now.ResourceVersion); err != nil {
			return fmt.Errorf("watch config maps: %w", err)
		}
	}
	before, err := cpuTime(a.pids...)
	if err != nil {
		return err
	}
	begin := time.Now()
	called := make([]time.Duration, w.writes) // after begin, as what follows
	seen, ended := make([][]time.Duration, w.watchers), make([]error, w.watchers)
	var all sync.WaitGroup
	for i, c := range watchers {
		seen[i] = make([]time.Duration, w.writes)
		all.Go(func() { ended[i] = see(c, maps, w.id+"-", begin, seen[i]) })
	}
	if _, err := (load{callers: callers, count: w.writes, do: func(_ context.Context, caller, n int) error {
		called[n] = time.Since(begin)
		return a.callers[caller].create(maps, bodies[n])
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
			worst = max(worst, at-called[n])
		}
	}
	after, err := cpuTime(a.pids...)
	if err != nil {
		return err
	}
	events := float64(w.watchers * w.writes)
	a.out(w.id+".cpu", float64((after-before).Microseconds())/events)
	a.out(w.id, events/took.Seconds())
	a.out(w.id+".worst", float64(worst.Milliseconds()))
	return nil
}

// see notes how long after begin each config map was first seen and returns when all were. A server may end the watch of a client that is slow;
// like an informer, it goes on from the last revision that it saw.
func see(c caller, maps target, prefix string, begin time.Time, seen []time.Duration) error {
	left := len(seen)
	for {
		last, err := frames(c.conn, func(event []byte, at time.Time) bool {
			n, ours := numberAfter(event, prefix)
			if ours && n < len(seen) && seen[n] == 0 {
				seen[n] = at.Sub(begin)
				left--
			}
			return left == 0
		})
		if err == nil {
			return nil
		}
		if !errors.Is(err, io.EOF) || last == nil {
			return fmt.Errorf("%d events missing: %w", left, err)
		}
		since, err := revisionOf(last)
		if err != nil {
			return err
		}
		if err := c.watch(maps, since); err != nil {
			return err
		}
	}
}

// revisionOf is the revision of a config map in a watch's event.
func revisionOf(event []byte) (string, error) {
	var e metav1.WatchEvent
	if err := e.Unmarshal(event); err != nil {
		return "", fmt.Errorf("read event: %w", err)
	}
	var seen corev1.ConfigMap
	if _, _, err := protobuf.NewSerializer(scheme.Scheme, scheme.Scheme).Decode(e.Object.Raw, nil, &seen); err != nil {
		return "", fmt.Errorf("read event: %w", err)
	}
	return seen.ResourceVersion, nil
}
