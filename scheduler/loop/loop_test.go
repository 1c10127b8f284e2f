package loop_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/client/fake"
	"proa/kinds"
	"proa/kinds/podspec"
	"proa/reconcile"
	"proa/scheduler/loop"
)

// clock stands still until it is moved.
type clock struct {
	mu     sync.Mutex
	now    time.Time
	timers []*timer
}

type timer struct {
	clock *clock
	at    time.Time
	f     func()
}

func (t *timer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	before := len(t.clock.timers)
	t.clock.timers = slices.DeleteFunc(t.clock.timers, func(o *timer) bool { return o == t })
	return len(t.clock.timers) < before
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) AfterFunc(d time.Duration, f func()) reconcile.Timer {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &timer{c, c.now.Add(d), f}
	c.timers = append(c.timers, t)
	return t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	c.now = c.now.Add(d)
	var due []*timer
	c.timers = slices.DeleteFunc(c.timers, func(t *timer) bool {
		if t.at.After(c.now) {
			return false
		}
		due = append(due, t)
		return true
	})
	c.mu.Unlock()
	for _, t := range due {
		t.f()
	}
}

type cluster struct {
	t     *testing.T
	api   *fake.API
	users client.Client
	clock *clock
}

func start(t *testing.T) *cluster {
	c := &cluster{t: t, clock: &clock{now: time.Unix(1_700_000_000, 0)}}
	c.api = fake.New(fake.Config{Kinds: kinds.Builtin(), Now: c.clock.Now})
	c.users = c.api.As("user")
	l := loop.New(loop.Config{Client: c.api.As(loop.Identity), Kinds: kinds.Builtin(), Clock: c.clock})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- l.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return c
}

func (c *cluster) create(table string, obj client.Object) {
	c.t.Helper()
	if _, err := c.users.Create(context.Background(), client.Ref{Table: table}, "", obj, metav1.CreateOptions{}); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) node(name string, pods string) {
	c.t.Helper()
	n := &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	c.create("nodes", n)
	n = n.DeepCopy()
	n.Status.Allocatable = v1.ResourceList{"cpu": resource.MustParse("4"), "memory": resource.MustParse("8Gi"), "pods": resource.MustParse(pods)}
	if _, err := c.users.Update(context.Background(), client.Ref{Table: "nodes", Name: name}, "status", n, metav1.UpdateOptions{}); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) pod(name string, change ...func(*v1.Pod)) {
	c.t.Helper()
	p := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
	p.Spec.SchedulerName = loop.SchedulerName
	p.Spec.Containers = []v1.Container{{Name: "c", Image: "i"}}
	for _, f := range change {
		f(p)
	}
	c.create("pods", p)
}

// await looks at each state of a pod until it is as wanted.
func (c *cluster) await(name string, wanted func(*v1.Pod) bool) *v1.Pod {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		view := c.users.View()
		if p, ok := client.Get[*v1.Pod](view, "pods", "default", name); ok && wanted(p) {
			return p
		}
		w, err := c.users.Watch("pods", view)
		if err != nil {
			c.t.Fatal(err)
		}
		if _, err := w.Next(ctx); err != nil {
			break
		}
	}
	p, _ := client.Get[*v1.Pod](c.users.View(), "pods", "default", name)
	c.t.Fatalf("pod %s did not become as wanted: %+v", name, p)
	return nil
}

// known returns when the loop has seen the nodes that were made: they come by another watch than pods, and a pod that is
// decided before them waits for the clock.
func (c *cluster) known() {
	c.t.Helper()
	c.pod("first")
	c.retry("first")
}

// retry moves the clock until a pod is bound.
func (c *cluster) retry(name string) {
	c.t.Helper()
	for !bound(c.await(name, func(*v1.Pod) bool { c.clock.advance(time.Second); return true })) {
		runtime.Gosched()
	}
}

func bound(p *v1.Pod) bool { return p.Spec.NodeName != "" }

func rejected(p *v1.Pod) bool {
	k := podspec.Condition(p, v1.PodScheduled)
	return k != nil && k.Status == v1.ConditionFalse && k.Reason == v1.PodReasonUnschedulable
}

func TestPodsAreBoundWhenThereIsRoom(t *testing.T) {
	c := start(t)
	c.pod("early")
	p := c.await("early", rejected)
	if m := podspec.Condition(p, v1.PodScheduled).Message; m != "no nodes available to schedule pods" {
		t.Errorf("message %q", m)
	}
	c.clock.advance(time.Minute) // the pause after the rejection is over
	c.node("a", "1")
	c.retry("early")
	c.pod("late")
	c.await("late", rejected)
	c.clock.advance(time.Minute)
	if err := c.users.Delete(context.Background(), client.Ref{Table: "pods", Namespace: "default", Name: "early"}, metav1.DeleteOptions{GracePeriodSeconds: new(int64)}); err != nil {
		t.Fatal(err)
	}
	c.retry("late")
}

func TestManyPodsAtOnce(t *testing.T) {
	c := start(t)
	c.node("a", "500")
	c.node("b", "500")
	c.known()
	for i := range 300 { // more than there are writers and places for outcomes together
		c.pod(fmt.Sprint("p", i))
	}
	for i := range 300 {
		c.await(fmt.Sprint("p", i), bound)
	}
}

func TestAFailedBindingIsTriedAgain(t *testing.T) {
	c := start(t)
	c.node("a", "2")
	c.known()
	failed := make(chan struct{}, 1)
	remove := c.api.Fault(func(a fake.Action) error {
		if a.Sub != "binding" {
			return nil
		}
		select {
		case failed <- struct{}{}:
		default:
		}
		return errors.New("the disk is full")
	})
	c.pod("p")
	<-failed
	remove()
	// The loop sets a timer for the retry after it has seen the failure.
	for {
		c.clock.mu.Lock()
		armed := len(c.clock.timers) > 0
		c.clock.mu.Unlock()
		if armed {
			break
		}
		runtime.Gosched()
	}
	c.clock.advance(time.Minute)
	c.await("p", bound)
}

func TestOthersPodsAndGatedPodsAreLeftAlone(t *testing.T) {
	c := start(t)
	c.node("a", "10")
	c.known()
	c.pod("other", func(p *v1.Pod) { p.Spec.SchedulerName = "someone-else" })
	c.pod("gated", func(p *v1.Pod) { p.Spec.SchedulingGates = []v1.PodSchedulingGate{{Name: "wait"}} })
	c.pod("mine")
	c.await("mine", bound)
	for _, name := range []string{"other", "gated"} {
		if p, _ := client.Get[*v1.Pod](c.users.View(), "pods", "default", name); bound(p) {
			t.Errorf("%s was bound", name)
		}
	}
	c.api.BreakWatches() // the loop starts over from a new view
	c.clock.advance(time.Minute)
	c.pod("after", func(p *v1.Pod) { p.Labels = map[string]string{"a": "b"} })
	c.retry("after")
}
