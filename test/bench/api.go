package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The API load: the same for Proa and for upstream.
const (
	callers   = 16
	manyPods  = 5000
	fewPods   = 100 // of manyPods have one label in common
	timeBound = 4 * time.Second
)

var benchPods = target{"pods", "bench"}

// apiLoad runs the API load against a control plane that consists of some processes. Figures get the prefix.
func apiLoad(ctx context.Context, c *client, pids []int, prefix string, out report) error {
	if err := c.namespace(ctx, benchPods.namespace); err != nil {
		return err
	}
	idle, err := privateMemory(pids...)
	if err != nil {
		return err
	}
	out(prefix+"memory.idle", idle)
	for _, step := range []func(context.Context, *client, func(string, float64)) error{writes, reads} {
		if err := step(ctx, c, func(id string, value float64) { out(prefix+id, value) }); err != nil {
			return err
		}
	}
	full, err := privateMemory(pids...)
	if err != nil {
		return err
	}
	out(prefix+"memory.full", full)
	out(prefix+"memory.pod", (full-idle)*1024/manyPods)
	if err := watchers(ctx, c, func(id string, value float64) { out(prefix+id, value) }); err != nil {
		return err
	}
	begin := time.Now()
	if err := removePods(ctx, c, benchPods); err != nil {
		return err
	}
	out(prefix+"delete", time.Since(begin).Seconds())
	return nil
}

// removePods deletes the collection and returns when the API no longer shows any.
func removePods(ctx context.Context, c *client, pods target) error {
	if err := c.removeAll(ctx, pods, 0); err != nil {
		return fmt.Errorf("delete pods: %w", err)
	}
	return until(ctx, 50*time.Millisecond, func() error {
		var left corev1.PodList
		if err := c.list(ctx, pods, "", &left); err != nil {
			return fmt.Errorf("list pods: %w", err)
		}
		if len(left.Items) > 0 {
			return fmt.Errorf("%d pods are left", len(left.Items))
		}
		return nil
	})
}

// writes creates the pods and changes some.
func writes(ctx context.Context, c *client, out func(string, float64)) error {
	made, err := load{callers: callers, count: manyPods, do: func(ctx context.Context, n int) error {
		return c.create(ctx, benchPods, newPod(n), &corev1.Pod{})
	}}.run(ctx)
	if err != nil {
		return fmt.Errorf("create pods: %w", err)
	}
	out("create", made.rate())
	out("create.p99", made.quantile(.99))
	patched, err := load{callers: callers, limit: timeBound, do: func(ctx context.Context, n int) error {
		patch := fmt.Sprintf(`{"metadata":{"annotations":{"round":"%d"}},"spec":{"containers":[{"name":"main","image":"example.com/app:%d"}]}}`, n, n)
		return c.patch(ctx, benchPods, podName(n%manyPods), "", patch, &corev1.Pod{})
	}}.run(ctx)
	if err != nil {
		return fmt.Errorf("patch pods: %w", err)
	}
	out("patch", patched.rate())
	status, err := load{callers: callers, limit: timeBound, do: func(ctx context.Context, n int) error {
		patch := fmt.Sprintf(`{"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True","reason":"R%d"}]}}`, n)
		return c.patch(ctx, benchPods, podName(n%manyPods), "status", patch, &corev1.Pod{})
	}}.run(ctx)
	if err != nil {
		return fmt.Errorf("patch status: %w", err)
	}
	out("status", status.rate())
	return nil
}

// reads gets and lists; what the client decodes is part of the time.
func reads(ctx context.Context, c *client, out func(string, float64)) error {
	got, err := load{callers: callers, limit: timeBound, do: func(ctx context.Context, n int) error {
		return c.get(ctx, benchPods, podName(n%manyPods), &corev1.Pod{})
	}}.run(ctx)
	if err != nil {
		return fmt.Errorf("get pods: %w", err)
	}
	out("get", got.rate())
	out("get.p99", got.quantile(.99))
	for _, l := range []struct {
		id             string
		callers, count int
		selector       func(n int) string
		want           int
	}{
		{"list.one", 1, 10, func(int) string { return "" }, manyPods},
		{"list.four", 4, 20, func(int) string { return "" }, manyPods},
		{"list.label", 4, 0, func(n int) string { return "group=" + strconv.Itoa(n%(manyPods/fewPods)) }, fewPods},
	} {
		listed, err := load{callers: l.callers, count: l.count, limit: timeBound, do: func(ctx context.Context, n int) error {
			var all corev1.PodList
			if err := c.list(ctx, benchPods, l.selector(n), &all); err != nil {
				return err
			}
			if len(all.Items) != l.want {
				return fmt.Errorf("listed %d pods, not %d", len(all.Items), l.want)
			}
			return nil
		}}.run(ctx)
		if err != nil {
			return fmt.Errorf("list pods: %w", err)
		}
		out(l.id, listed.quantile(.5))
		out(l.id+".rate", listed.rate())
	}
	return nil
}

func podName(n int) string { return "pod-" + strconv.Itoa(n) }

// newPod is an ordinary pod of one container. Its scheduler does not exist, so that the API alone is measured.
func newPod(n int) *corev1.Pod {
	amounts := func(cpu, memory string) corev1.ResourceList {
		return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory)}
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: podName(n), Labels: map[string]string{"app": "bench", "group": strconv.Itoa(n % (manyPods / fewPods))}},
		Spec: corev1.PodSpec{
			SchedulerName: "nobody",
			Containers: []corev1.Container{{
				Name: "main", Image: "example.com/app:1",
				Env:       []corev1.EnvVar{{Name: "MODE", Value: "bench"}, {Name: "NUMBER", Value: strconv.Itoa(n)}},
				Ports:     []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}},
				Resources: corev1.ResourceRequirements{Requests: amounts("10m", "16Mi"), Limits: amounts("100m", "64Mi")},
			}},
		},
	}
}
