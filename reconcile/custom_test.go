package reconcile_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"proa/client"
	"proa/client/fake"
	"proa/kinds"
	"proa/kinds/resource"
	"proa/reconcile"
)

const gears = "gears.shop.example"

// gearRow is the row of a kind that somebody defined.
func gearRow() *resource.Resource {
	r := &resource.Resource{Group: "shop.example", Version: "v1", Name: "gears", Singular: "gear", Kind: "Gear"}
	r.New = func() resource.Object {
		u := &unstructured.Unstructured{}
		u.SetGroupVersionKind(r.GroupVersionKind())
		return u
	}
	r.NewList = func() runtime.Object { return &unstructured.UnstructuredList{} }
	r.Custom = &resource.Custom{Epoch: 1, ListKind: "GearList", Storage: r, Versions: []*resource.Resource{r}, Defined: []*resource.Resource{r}, Listed: true,
		Keep:  func(obj resource.Object) (resource.Object, error) { return obj, nil },
		Show:  func(stored []resource.Object) ([]resource.Object, error) { return stored, nil },
		Admit: func(resource.Object, bool) ([]string, error) { return nil, nil },
	}
	return r
}

// watching counts the watches of gears that are open.
type watching struct {
	client.Client
	open *atomic.Int32
}

type counted struct {
	client.Watcher
	open *atomic.Int32
}

func (w watching) Watch(table string, after client.View) (client.Watcher, error) {
	watcher, err := w.Client.Watch(table, after)
	if err != nil || table != gears {
		return watcher, err
	}
	w.open.Add(1)
	return counted{watcher, w.open}, nil
}

func (c counted) Next(ctx context.Context) ([]client.Event, error) {
	events, err := c.Watcher.Next(ctx)
	if err != nil {
		c.open.Add(-1)
	}
	return events, err
}

// The objects of a kind that users define bring up keys from when it is there, and are followed for a minute after it is gone; in
// which it may come back.
func TestCustomKindsAreFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := kinds.Builtin()
		api, open := fake.New(fake.Config{Kinds: table}), &atomic.Int32{}
		r := &rig{api: api, user: api.As("user")}
		host, err := reconcile.New(reconcile.Config{Client: func(name string) client.Client { return watching{api.As(name), open} }, Kinds: table, Resync: -1},
			reconcile.Controller{
				Name: "test", Identity: "system:test",
				Reads: []reconcile.Read{{Table: "configmaps", Keys: reconcile.Self}},
				Custom: func(row *resource.Resource) (reconcile.Read, bool) {
					return reconcile.Read{Table: row.Table(), Keys: reconcile.Self}, row.Kind == "Gear"
				},
				Reconcile: func(_ context.Context, req reconcile.Request) (reconcile.Result, error) {
					r.note("%s", req.Key)
					return reconcile.Result{}, nil
				},
			})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- host.Run(ctx) }()
		watches := func(when string, want int32) {
			t.Helper()
			synctest.Wait()
			if got := open.Load(); got != want {
				t.Errorf("%s, %d watches are open, want %d", when, got, want)
			}
		}
		watches("before there is the kind", 0)

		other := gearRow()
		other.Name, other.Kind = "belts", "Belt" // nobody wants to know
		table.SetCustom([]*resource.Resource{gearRow(), other})
		watches("since there is the kind", 1)
		gear := gearRow().New()
		gear.SetName("one")
		if _, err := r.user.Create(ctx, client.Ref{Table: gears, Name: "one"}, "", gear, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		expect(t, r.take(), "one")

		table.SetCustom(nil)
		time.Sleep(59 * time.Second)
		watches("just before a minute is over", 1)
		table.SetCustom([]*resource.Resource{gearRow()})
		time.Sleep(2 * time.Minute)
		watches("when it has come back", 1)
		table.SetCustom(nil)
		time.Sleep(61 * time.Second)
		watches("a minute after it is gone", 0)
		table.SetCustom([]*resource.Resource{gearRow()})
		watches("when it comes back later", 1)
		synctest.Wait()
		expect(t, r.take(), "one")
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		watches("when the host has ended", 0)
	})
}
