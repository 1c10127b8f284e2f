package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/client/fake"
	"proa/kinds"
	"proa/reconcile"
)

// In these tests time is the bubble's (testing/synctest): it passes when every goroutine waits.

// rig is a host over a fake API with one controller that notes its runs.
type rig struct {
	api  *fake.API
	user client.Client

	mu   sync.Mutex
	runs []string
	seen []reconcile.Observation
}

func (r *rig) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.runs = append(r.runs, fmt.Sprintf(format, args...))
}

// take waits until nothing moves and returns the runs since the last time.
func (r *rig) take() []string {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	runs := r.runs
	r.runs = nil
	return runs
}

func (r *rig) put(t *testing.T, namespace, name string) {
	t.Helper()
	r.api.Put(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}})
}

func newRig() *rig {
	r := &rig{}
	r.api = fake.New(fake.Config{Kinds: kinds.Builtin()})
	r.user = r.api.As("user")
	return r
}

// start runs controllers until the test ends.
func (r *rig) start(t *testing.T, controllers ...reconcile.Controller) {
	t.Helper()
	host, err := reconcile.New(reconcile.Config{
		Client: r.api.As, Kinds: kinds.Builtin(), Resync: -1,
		Observe: func(o reconcile.Observation) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.seen = append(r.seen, o)
		},
	}, controllers...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- host.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func configMaps(run func(context.Context, reconcile.Request) (reconcile.Result, error)) reconcile.Controller {
	return reconcile.Controller{
		Name: "test", Identity: "system:test",
		Reads: []reconcile.Read{{Table: "configmaps", Keys: reconcile.Self}}, Reconcile: run,
	}
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRunsEveryKeyAtStartAndOnChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		r.put(t, "a", "one")
		r.put(t, "b", "two")
		r.start(t, configMaps(func(_ context.Context, req reconcile.Request) (reconcile.Result, error) {
			r.note("%s", req.Key)
			return reconcile.Result{}, nil
		}))
		expect(t, r.take(), "a/one", "b/two")
		r.put(t, "b", "two")
		expect(t, r.take(), "b/two")
		time.Sleep(time.Hour)
		expect(t, r.take())
	})
}

func TestNamespacesTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		for i := range 4 {
			r.put(t, "big", fmt.Sprint(i))
		}
		r.put(t, "small", "one")
		gate := make(chan struct{})
		r.start(t, configMaps(func(_ context.Context, req reconcile.Request) (reconcile.Result, error) {
			r.note("%s", req.Key)
			<-gate
			return reconcile.Result{}, nil
		}))
		synctest.Wait()
		close(gate)
		got := r.take()
		if i := slices.Index(got, "small/one"); i < 0 || i > 2 {
			t.Errorf("a namespace with one key waited for one with many: %q", got)
		}
	})
}

func TestOneKeyIsNeverRunTwiceAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		gate := make(chan struct{})
		running := 0
		c := configMaps(func(_ context.Context, req reconcile.Request) (reconcile.Result, error) {
			r.mu.Lock()
			running++
			if running > 1 {
				t.Error("two runs of one key")
			}
			r.mu.Unlock()
			r.note("%s", req.Key)
			<-gate
			r.mu.Lock()
			running--
			r.mu.Unlock()
			return reconcile.Result{}, nil
		})
		c.Workers = 4
		r.start(t, c)
		r.put(t, "a", "one")
		expect(t, r.take(), "a/one")
		for range 3 { // changes during a run bring the key up once more, not thrice
			r.put(t, "a", "one")
		}
		expect(t, r.take())
		close(gate)
		expect(t, r.take(), "a/one")
	})
}

func TestErrorsComeBackWithGrowingDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		begin := time.Now()
		var healed atomic.Bool
		r.start(t, configMaps(func(_ context.Context, req reconcile.Request) (reconcile.Result, error) {
			r.note("%v", time.Since(begin))
			if !healed.Load() {
				return reconcile.Result{}, errors.New("no")
			}
			return reconcile.Result{}, nil
		}))
		r.put(t, "a", "one")
		time.Sleep(100 * time.Millisecond)
		expect(t, r.take(), "0s", "5ms", "15ms", "35ms", "75ms")
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		r.mu.Lock()
		longest := r.runs[len(r.runs)-2:]
		r.mu.Unlock()
		a, _ := time.ParseDuration(longest[0])
		b, _ := time.ParseDuration(longest[1])
		if b-a != 1000*time.Second {
			t.Errorf("longest delay is %v, want 1000s", b-a)
		}
		healed.Store(true)
		time.Sleep(time.Hour)
		r.take()
		time.Sleep(24 * time.Hour)
		expect(t, r.take())
	})
}

func TestAfterBringsTheKeyBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		begin := time.Now()
		r.start(t, configMaps(func(_ context.Context, req reconcile.Request) (reconcile.Result, error) {
			r.note("%v", time.Since(begin))
			return reconcile.Result{After: time.Minute}, nil
		}))
		r.put(t, "a", "one")
		time.Sleep(90 * time.Second)
		expect(t, r.take(), "0s", "1m0s")
		r.put(t, "a", "one") // a run in between sets the time anew
		time.Sleep(59 * time.Second)
		expect(t, r.take(), "1m30s")
		time.Sleep(2 * time.Second)
		expect(t, r.take(), "2m30s")
	})
}

func TestPanicIsAnErrorOfTheKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		r.start(t, configMaps(func(_ context.Context, req reconcile.Request) (reconcile.Result, error) {
			if req.Name == "bad" {
				panic("boom")
			}
			r.note("%s", req.Key)
			return reconcile.Result{}, nil
		}))
		r.put(t, "a", "bad")
		r.put(t, "a", "good")
		expect(t, r.take(), "a/good")
		r.mu.Lock()
		defer r.mu.Unlock()
		if err := r.seen[0].Err; err == nil || !strings.Contains(err.Error(), "boom") {
			t.Errorf("observed %v, want the panic", err)
		}
	})
}

func TestLostWatchLooksAtEverythingAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		r.put(t, "a", "one")
		c := configMaps(func(_ context.Context, req reconcile.Request) (reconcile.Result, error) {
			r.note("%s", req.Key)
			return reconcile.Result{}, nil
		})
		c.Reads = append(c.Reads, reconcile.Read{Table: "secrets", Keys: reconcile.Self})
		r.start(t, c)
		expect(t, r.take(), "a/one")
		r.api.BreakWatches()
		synctest.Wait()
		r.put(t, "a", "two") // while nobody watches
		time.Sleep(time.Second)
		got := r.take()
		for _, key := range []string{"a/one", "a/two"} {
			if !slices.Contains(got, key) {
				t.Errorf("%s was not looked at again: %q", key, got)
			}
		}
		r.put(t, "a", "three")
		expect(t, r.take(), "a/three")
	})
}

func TestResyncIsASafetyNet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		r.put(t, "a", "one")
		host, err := reconcile.New(reconcile.Config{Client: r.api.As, Kinds: kinds.Builtin(), Resync: time.Minute},
			configMaps(func(_ context.Context, req reconcile.Request) (reconcile.Result, error) {
				r.note("%s", req.Key)
				return reconcile.Result{}, nil
			}))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- host.Run(ctx) }()
		expect(t, r.take(), "a/one")
		time.Sleep(150 * time.Second)
		expect(t, r.take(), "a/one", "a/one")
		cancel()
		<-done
	})
}

// A key that was written by its own run comes up again with a view that holds the write, though the client's views trail.
func TestOwnWritesAreInTheNextView(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		r.put(t, "a", "one")
		waited := make(chan string, 10)
		trailing := func(identity string) client.Client {
			return waiting{Client: r.api.As(identity), waited: waited}
		}
		host, err := reconcile.New(reconcile.Config{Client: trailing, Kinds: kinds.Builtin(), Resync: -1},
			configMaps(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
				cm, ok := client.Get[*corev1.ConfigMap](req.View, "configmaps", "a", "one")
				if !ok || cm.Data != nil {
					return reconcile.Result{}, nil
				}
				cm = cm.DeepCopy()
				cm.Data = map[string]string{"done": "yes"}
				_, err := req.Client.Update(ctx, client.RefOf("configmaps", cm), "", cm, metav1.UpdateOptions{})
				return reconcile.Result{}, err
			}))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- host.Run(ctx) }()
		synctest.Wait()
		if len(waited) != 1 {
			t.Errorf("waited for %d writes, want 1", len(waited))
		}
		cancel()
		<-done
	})
}

type waiting struct {
	client.Client
	waited chan string
}

func (w waiting) WaitFor(ctx context.Context, obj client.Object) error {
	w.waited <- obj.GetName()
	return w.Client.WaitFor(ctx, obj)
}

func TestNewRefuses(t *testing.T) {
	good := configMaps(func(context.Context, reconcile.Request) (reconcile.Result, error) { return reconcile.Result{}, nil })
	other := good
	other.Name = "other"
	with := func(c reconcile.Controller, writes ...string) reconcile.Controller {
		c.Writes = writes
		return c
	}
	config := reconcile.Config{Client: newRig().api.As, Kinds: kinds.Builtin()}
	for _, test := range []struct {
		name        string
		controllers []reconcile.Controller
		want        string // in the error; empty: none
	}{
		{"two names", []reconcile.Controller{good, good}, `two controllers are called "test"`},
		{"no reads", []reconcile.Controller{{Name: "x", Identity: "y", Reconcile: good.Reconcile}}, "lacks"},
		{"one field", []reconcile.Controller{with(good, "pods/status"), with(other, "pods/status")}, "both write pods/status"},
		{"within", []reconcile.Controller{with(good, "pods/status"), with(other, "pods/status.phase")}, "both write"},
		{"beside", []reconcile.Controller{with(good, "pods/status"), with(other, "pods/statusMore", "pods/spec")}, ""},
	} {
		_, err := reconcile.New(config, test.controllers...)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: got error %v, want %q", test.name, err, test.want)
		}
	}
}

func TestConflictIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		var tries atomic.Int32
		r.start(t, configMaps(func(context.Context, reconcile.Request) (reconcile.Result, error) {
			if tries.Add(1) == 1 {
				return reconcile.Result{}, apierrors.NewConflict(corev1.Resource("configmaps"), "one", errors.New("late"))
			}
			r.note("done")
			return reconcile.Result{}, nil
		}))
		r.put(t, "a", "one")
		time.Sleep(time.Second)
		expect(t, r.take(), "done")
	})
}
