// Package clienttest is the conformance suite of client.Client: what every caller may rely on, whichever client it is
// handed. Tests of implementations call Run; it decides nothing and owns nothing.
package clienttest

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
)

// New makes a client of an empty API in which the namespace "default" may be written to. It is called once for each test. The
// client has at least the tables "configmaps", "pods" and "nodes".
type New func(t *testing.T) client.Client

// tests lists the suite.
var tests = []struct {
	name string
	run  func(*testing.T, *place)
}{
	{"create returns what is stored", createReturns},
	{"create makes a name", createNames},
	{"create refuses what exists", createExists},
	{"create changes nothing of the caller's", createLeaves},
	{"a view that was waited for has the write", viewAfterWait},
	{"views never change", viewsStay},
	{"lists are in order", listOrder},
	{"what is absent is nil in a view and NotFound live", absent},
	{"unknown tables are refused", unknownTable},
	{"update compares revisions", updateConflict},
	{"update of the status changes nothing else", updateStatus},
	{"update of the object leaves the status", updateObject},
	{"patches in three forms", patches},
	{"patch of the status", patchStatus},
	{"delete removes", deletes},
	{"delete checks preconditions", deletePreconditions},
	{"delete waits for finalizers", deleteFinalizers},
	{"invalid objects are refused with their fields", invalid},
	{"binding puts a pod on a node", binding},
	{"eviction deletes a pod", eviction},
	{"watch yields each change once in order", watchOrder},
	{"watch begins at its view", watchFromView},
	{"two watches yield the same", watchTwice},
	{"watch ends with its context", watchContext},
	{"what a watch yielded is in the next view", watchThenView},
}

// Run runs the suite.
func Run(t *testing.T, make New) {
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // hangs end here; nothing is timed
			t.Cleanup(cancel)
			test.run(t, &place{t: t, ctx: ctx, Client: make(t)})
		})
	}
}

// place is a client in a test, with calls that must succeed.
type place struct {
	client.Client
	t   *testing.T
	ctx context.Context
}

func (p *place) must(obj client.Object, err error) client.Object {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
	return obj
}

func configMap(name string, data ...string) *corev1.ConfigMap {
	m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}, Data: map[string]string{}}
	for i := 0; i+1 < len(data); i += 2 {
		m.Data[data[i]] = data[i+1]
	}
	return m
}

func pod(name string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "image"}}}}
}

func ref(table, name string) client.Ref {
	r := client.Ref{Table: table, Namespace: "default", Name: name}
	if table == "nodes" {
		r.Namespace = ""
	}
	return r
}

// create stores an object and returns when views hold it.
func (p *place) create(table string, obj client.Object) client.Object {
	p.t.Helper()
	created := p.must(p.Create(p.ctx, client.RefOf(table, obj), "", obj, metav1.CreateOptions{}))
	p.wait(created)
	return created
}

// update replaces an object and returns when views hold it.
func (p *place) update(table, sub string, obj client.Object) client.Object {
	p.t.Helper()
	updated := p.must(p.Update(p.ctx, client.RefOf(table, obj), sub, obj, metav1.UpdateOptions{}))
	p.wait(updated)
	return updated
}

func (p *place) wait(written client.Object) {
	p.t.Helper()
	if err := p.WaitFor(p.ctx, written); err != nil {
		p.t.Fatal(err)
	}
}

// removed returns when views no longer hold an object that was deleted, which no write's result tells.
func (p *place) removed(r client.Ref, before client.View) client.View {
	p.t.Helper()
	w, err := p.Watch(r.Table, before)
	if err != nil {
		p.t.Fatal(err)
	}
	for {
		view := p.View()
		if view.Get(r) == nil {
			return view
		}
		if _, err := w.Next(p.ctx); err != nil {
			p.t.Fatal(err)
		}
	}
}

func (p *place) watch(table string, after client.View) client.Watcher {
	p.t.Helper()
	w, err := p.Watch(table, after)
	if err != nil {
		p.t.Fatal(err)
	}
	return w
}

// events waits for n events.
func (p *place) events(w client.Watcher, n int) []client.Event {
	p.t.Helper()
	var all []client.Event
	for len(all) < n {
		events, err := w.Next(p.ctx)
		if err != nil {
			p.t.Fatalf("after %d of %d events: %v", len(all), n, err)
		}
		all = append(all, events...)
	}
	return all
}
