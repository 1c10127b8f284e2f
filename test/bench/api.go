package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/test/kubeapi"
)

// The API load: the same for Proa and for upstream.
const (
	callers   = 16
	manyPods  = 5000
	fewPods   = 100 // of manyPods have one label in common
	timeBound = 4 * time.Second
)

var benchPods = target{"pods", "bench"}

// apiRun is the API load against a control plane that consists of some processes.
type apiRun struct {
	*client
	callers []caller
	pids    []int
	prefix  string // of the figures
	report  report
}

func newAPIRun(ctx context.Context, c *client, pids []int, prefix string, out report) (*apiRun, error) {
	all, err := c.dial(ctx, callers)
	return &apiRun{client: c, callers: all, pids: pids, prefix: prefix, report: out}, err
}

func (a *apiRun) out(id string, value float64) { a.report(a.prefix+id, value) }

// run makes the steps of the load in order.
func (a *apiRun) run(ctx context.Context) error {
	if err := a.namespace(ctx, benchPods.namespace); err != nil {
		return err
	}
	idle, err := privateMemory(a.pids...)
	if err != nil {
		return err
	}
	a.out("memory.idle", idle)
	for _, step := range []func(context.Context) error{a.writes, a.reads} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	full, err := privateMemory(a.pids...)
	if err != nil {
		return err
	}
	a.out("memory.full", full)
	a.out("memory.pod", (full-idle)*1024/manyPods)
	for _, w := range fanOuts {
		if err := a.fanOut(ctx, w); err != nil {
			return err
		}
	}
	if err := a.customKinds(ctx); err != nil {
		return err
	}
	return a.removal(ctx)
}

// costed runs what makes some calls and reports what one of them cost the server: the client shares the machine, so the
// times alone say as much about the client.
func (a *apiRun) costed(id string, f func() (calls int, err error)) error {
	before, err := cpuTime(a.pids...)
	if err != nil {
		return err
	}
	calls, err := f()
	if err != nil {
		return err
	}
	after, err := cpuTime(a.pids...)
	if err != nil {
		return err
	}
	a.out(id+".cpu", float64((after-before).Microseconds())/float64(max(1, calls)))
	return nil
}

// load runs a load and reports its rate, quantiles and cost.
func (a *apiRun) load(ctx context.Context, id string, l load) error {
	return a.costed(id, func() (int, error) {
		o, err := l.run(ctx)
		if err != nil {
			return 0, err
		}
		a.out(id, o.rate())
		a.out(id+".p50", o.quantile(.5))
		a.out(id+".p99", o.quantile(.99))
		return o.done, nil
	})
}

// removal deletes all pods at once.
func (a *apiRun) removal(ctx context.Context) error {
	return a.costed("delete", func() (int, error) {
		begin := time.Now()
		if err := removePods(ctx, a.client, benchPods); err != nil {
			return 0, err
		}
		a.out("delete", time.Since(begin).Seconds())
		return manyPods, nil
	})
}

// removePods deletes the collection and returns when the API no longer shows any.
func removePods(ctx context.Context, c *client, pods target) error {
	if err := c.removeAll(ctx, pods, 0); err != nil {
		return fmt.Errorf("delete pods: %w", err)
	}
	return kubeapi.Until(ctx, 50*time.Millisecond, func() error {
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
func (a *apiRun) writes(ctx context.Context) error {
	pods := make([][]byte, manyPods)
	for n := range pods {
		var err error
		if pods[n], err = encoded(newPod(n)); err != nil {
			return err
		}
	}
	if err := a.load(ctx, "create", load{callers: callers, count: manyPods, do: func(_ context.Context, caller, n int) error {
		return a.callers[caller].create(benchPods, pods[n])
	}}); err != nil {
		return fmt.Errorf("create pods: %w", err)
	}
	for _, patch := range []struct{ id, subresource, body string }{
		{"patch", "", `{"metadata":{"annotations":{"round":"%[1]d"}},"spec":{"containers":[{"name":"main","image":"example.com/app:%[1]d"}]}}`},
		{"status", "/status", `{"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True","reason":"R%d"}]}}`},
	} {
		if err := a.load(ctx, patch.id, load{callers: callers, limit: timeBound, do: func(_ context.Context, caller, n int) error {
			return a.callers[caller].patch(benchPods, podName(n%manyPods), patch.subresource, fmt.Sprintf(patch.body, n))
		}}); err != nil {
			return fmt.Errorf("patch pods: %w", err)
		}
	}
	return nil
}

// reads gets and lists.
func (a *apiRun) reads(ctx context.Context) error {
	if err := a.load(ctx, "get", load{callers: callers, limit: timeBound, do: func(_ context.Context, caller, n int) error {
		return a.callers[caller].get(benchPods, podName(n%manyPods))
	}}); err != nil {
		return fmt.Errorf("get pods: %w", err)
	}
	for _, l := range []struct {
		id             string
		callers, count int
		selector       func(n int) string
		want           int
	}{
		{"list.one", 1, 0, func(int) string { return "" }, manyPods},
		{"list.four", 4, 0, func(int) string { return "" }, manyPods},
		{"list.label", 4, 0, func(n int) string { return "group=" + strconv.Itoa(n%(manyPods/fewPods)) }, fewPods},
	} {
		if err := a.load(ctx, l.id, load{callers: l.callers, count: l.count, limit: timeBound, do: func(_ context.Context, caller, n int) error {
			items, err := a.callers[caller].list(benchPods, l.selector(n))
			if err == nil && items != l.want {
				err = fmt.Errorf("listed %d pods, not %d", items, l.want)
			}
			return err
		}}); err != nil {
			return fmt.Errorf("list pods: %w", err)
		}
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
