package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"proa/test/kubeapi"
)

const manyNodes = 1000

// measureSchedule makes nodes that exist in the API only, creates pods, and takes the time until all are bound.
func measureSchedule(ctx context.Context, o options, out report) error {
	server, c, _, err := startServer(ctx, o)
	if err != nil {
		return err
	}
	err = schedule(ctx, c, out)
	return errors.Join(server.Why(err), server.Stop())
}

func schedule(ctx context.Context, c *client, out report) error {
	if err := c.namespace(ctx, benchPods.namespace); err != nil {
		return err
	}
	if err := fakeNodes(ctx, c); err != nil {
		return err
	}
	var none corev1.PodList
	if err := c.list(ctx, benchPods, "", &none); err != nil {
		return fmt.Errorf("list pods: %w", err)
	}
	w, err := c.watch(ctx, benchPods, none.ResourceVersion)
	if err != nil {
		return fmt.Errorf("watch pods: %w", err)
	}
	defer w.Stop()
	failed := make(chan error, 1)
	begin := time.Now()
	go func() {
		_, err := load{callers: callers, count: manyPods, do: func(ctx context.Context, caller, n int) error {
			pod := newPod(n)
			pod.Spec.SchedulerName = ""
			return c.create(ctx, benchPods, pod, &corev1.Pod{})
		}}.run(ctx)
		failed <- err
	}()
	bound := countBound(w)
	took := time.Since(begin)
	if err := <-failed; err != nil {
		return fmt.Errorf("create pods: %w", err)
	}
	if bound < manyPods {
		return fmt.Errorf("%d of %d pods were bound", bound, manyPods)
	}
	out("proa.schedule", manyPods/took.Seconds())
	return nil
}

// countBound returns how many pods a watcher has seen bound when all are, or when the watch ends.
func countBound(w watch.Interface) int {
	bound := map[string]bool{}
	for e := range w.ResultChan() {
		if pod, ok := e.Object.(*corev1.Pod); ok && pod.Spec.NodeName != "" {
			bound[pod.Name] = true
		}
		if len(bound) == manyPods {
			break
		}
	}
	return len(bound)
}

// fakeNodes makes nodes that are Ready and waits until nothing keeps pods off them.
func fakeNodes(ctx context.Context, c *client) error {
	nodes := target{"nodes", ""}
	amounts := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("4"), corev1.ResourceMemory: resource.MustParse("32Gi"), corev1.ResourcePods: resource.MustParse("110"),
	}
	if _, err := (load{callers: callers, count: manyNodes, do: func(ctx context.Context, caller, n int) error {
		return c.create(ctx, nodes, &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: "node-" + strconv.Itoa(n), Labels: map[string]string{"topology.kubernetes.io/zone": strconv.Itoa(n % 3)}},
			Status: corev1.NodeStatus{Capacity: amounts, Allocatable: amounts, Conditions: []corev1.NodeCondition{{
				Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastHeartbeatTime: metav1.Now(), LastTransitionTime: metav1.Now(),
			}}},
		}, &corev1.Node{})
	}}).run(ctx); err != nil {
		return fmt.Errorf("create nodes: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return kubeapi.Until(ctx, 200*time.Millisecond, func() error {
		var all corev1.NodeList
		if err := c.list(ctx, nodes, "", &all); err != nil {
			return fmt.Errorf("list nodes: %w", err)
		}
		for i := range all.Items {
			if n := &all.Items[i]; len(n.Spec.Taints) > 0 || n.Status.Allocatable.Pods().IsZero() {
				return fmt.Errorf("node %s takes no pods: taints %v, allocatable %v", n.Name, n.Spec.Taints, n.Status.Allocatable)
			}
		}
		return nil
	})
}
