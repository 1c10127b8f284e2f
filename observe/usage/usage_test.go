package usage_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/client/fake"
	"proa/kinds"
	"proa/observe/usage"
)

// clock moves when a test says so: each wait of the meter comes out of waits, and ends when the test moves on.
type clock struct {
	mu    sync.Mutex
	now   time.Time
	waits chan wait
}

type wait struct {
	d    time.Duration
	over chan time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) After(d time.Duration) <-chan time.Time {
	w := wait{d, make(chan time.Time, 1)}
	c.waits <- w
	return w.over
}

// step lets the meter's present wait pass.
func (c *clock) step() time.Duration {
	w := <-c.waits
	c.mu.Lock()
	c.now = c.now.Add(w.d)
	c.mu.Unlock()
	w.over <- c.now
	return w.d
}

func TestUsage(t *testing.T) {
	api := fake.New(fake.Config{Kinds: kinds.Builtin()})
	for _, name := range []string{"a", "deaf"} {
		if _, err := api.As("user").Create(t.Context(), client.Ref{Table: "nodes"}, "", &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	c := &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), waits: make(chan wait, 1000)}
	asked := 0
	meter, err := usage.New(usage.Config{Client: api.As("meter"), Clock: c, Ask: func(_ context.Context, node, path string) ([]byte, error) {
		if node == "deaf" {
			return nil, errors.New("no answer")
		}
		asked++
		return fmt.Appendf(nil, `{"node":{"cpu":{"usageCoreNanoSeconds":%d},"memory":{"workingSetBytes":1024}},"pods":[
			{"podRef":{"name":"p","namespace":"n"},"containers":[{"name":"c","cpu":{"usageCoreNanoSeconds":%d},"memory":{"workingSetBytes":512}}]},
			{"podRef":{"name":"new","namespace":"n"},"containers":[{"name":"c"}]}]}`, asked*2_000_000_000, asked*250_000_000), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { defer close(done); _ = meter.Run(ctx) }()
	defer func() { cancel(); <-done }()

	if _, ok := meter.Pod("n", "p"); ok {
		t.Fatal("usage is known before anybody looked")
	}
	waited := make(chan error, 1)
	go func() { waited <- meter.Await(t.Context()) }()
	c.step()
	if err := <-waited; err != nil {
		t.Fatal(err)
	}
	p, ok := meter.Pod("n", "p")
	if cpu := p.Containers["c"][v1.ResourceCPU]; !ok || cpu.MilliValue() != 250 || p.Window != time.Second {
		t.Errorf("the pod used %v over %v, want 250m over 1s", p.Containers, p.Window)
	}
	n, ok := meter.Node("a")
	if cpu := n.Usage[v1.ResourceCPU]; !ok || cpu.Value() != 2 {
		t.Errorf("the node used %v, want 2 processors", n.Usage)
	}
	for _, unknown := range []string{"new", "nobody"} {
		if p, ok := meter.Pod("n", unknown); ok {
			t.Errorf("pod %s used %v, and nobody can know", unknown, p)
		}
	}
	if _, ok := meter.Node("deaf"); ok {
		t.Error("a node that does not answer used something")
	}

	// Nobody asks any more: looking ends after a while, and what was seen is forgotten.
	for range 100 {
		select {
		case w := <-c.waits:
			c.mu.Lock()
			c.now = c.now.Add(w.d)
			c.mu.Unlock()
			w.over <- c.now
		case <-time.After(100 * time.Millisecond): // it waits for nothing
			if _, ok := meter.Node("a"); ok {
				t.Error("old usage is still an answer")
			}
			c.step() // the question has woken it
			return
		}
	}
	t.Error("the meter looks on though nobody asks")
}
