package clienttest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
)

func viewAfterWait(t *testing.T, p *place) {
	created := p.create("configmaps", configMap("a", "k", "v"))
	got, ok := client.Get[*corev1.ConfigMap](p.View(), "configmaps", "default", "a")
	if !ok || got.Data["k"] != "v" || got.UID != created.GetUID() {
		t.Fatalf("view holds %v, want what was created", got)
	}
	if live := p.must(p.GetLive(p.ctx, ref("configmaps", "a"))); live.GetResourceVersion() != created.GetResourceVersion() {
		t.Errorf("live revision %s, want %s", live.GetResourceVersion(), created.GetResourceVersion())
	}
	if kind := got.GetObjectKind().GroupVersionKind().Kind; kind != "" && kind != "ConfigMap" {
		t.Errorf("kind of the object is %q", kind)
	}
}

func viewsStay(t *testing.T, p *place) {
	empty := p.View()
	p.create("configmaps", configMap("a"))
	one := p.View()
	p.create("configmaps", configMap("b"))
	two := p.View()
	if empty.Revision() >= one.Revision() || one.Revision() >= two.Revision() {
		t.Errorf("revisions %d, %d, %d do not grow", empty.Revision(), one.Revision(), two.Revision())
	}
	for want, view := range []client.View{empty, one, two} {
		if got := len(names(view, "default")); got != want {
			t.Errorf("view after %d creations holds %d objects", want, got)
		}
	}
}

func names(v client.View, namespace string) []string {
	var all []string
	for obj := range v.List("configmaps", namespace) {
		all = append(all, obj.GetName())
	}
	return all
}

func listOrder(t *testing.T, p *place) {
	for _, name := range []string{"c", "a", "b-2", "b.1", "b"} {
		p.create("configmaps", configMap(name))
	}
	if got := names(p.View(), ""); !slices.IsSorted(got) || len(got) != 5 {
		t.Errorf("list of all is %v", got)
	}
	if got := names(p.View(), "elsewhere"); len(got) != 0 {
		t.Errorf("list of an empty namespace is %v", got)
	}
	for obj := range p.View().List("configmaps", "default") {
		if obj.GetName() != "a" {
			t.Errorf("first of the list is %s", obj.GetName())
		}
		break // must not go on
	}
}

func absent(t *testing.T, p *place) {
	if obj := p.View().Get(ref("configmaps", "none")); obj != nil {
		t.Errorf("view holds %v", obj)
	}
	_, err := p.GetLive(p.ctx, ref("configmaps", "none"))
	if !apierrors.IsNotFound(err) || !strings.Contains(err.Error(), `configmaps "none" not found`) {
		t.Errorf("live read: %v", err)
	}
	if err := p.Delete(p.ctx, ref("configmaps", "none"), metav1.DeleteOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("delete: %v", err)
	}
	if _, err := p.Update(p.ctx, ref("configmaps", "none"), "", configMap("none"), metav1.UpdateOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("update: %v", err)
	}
}

func unknownTable(t *testing.T, p *place) {
	if _, err := p.Create(p.ctx, ref("nonsense", "a"), "", configMap("a"), metav1.CreateOptions{}); !apierrors.IsBadRequest(err) {
		t.Errorf("create in a table that does not exist: %v", err)
	}
	if obj := p.View().Get(ref("nonsense", "a")); obj != nil {
		t.Errorf("view of a table that does not exist holds %v", obj)
	}
}

// describe prints events so that they can be compared.
func describe(events []client.Event) string {
	var out strings.Builder
	for _, e := range events {
		old := "-"
		if e.Old != nil {
			old = e.Old.(*corev1.ConfigMap).Data["k"]
		}
		fmt.Fprintf(&out, "%s %s %s<%s\n", [...]string{"?", "created", "updated", "deleted"}[e.Type], e.Object.GetName(), e.Object.(*corev1.ConfigMap).Data["k"], old)
	}
	return out.String()
}

func watchOrder(t *testing.T, p *place) {
	w := p.watch("configmaps", p.View())
	p.create("configmaps", configMap("a", "k", "1"))
	p.create("configmaps", configMap("b", "k", "1"))
	p.update("configmaps", "", configMap("a", "k", "2"))
	if err := p.Delete(p.ctx, ref("configmaps", "a"), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	p.create("configmaps", configMap("a", "k", "3"))
	got := describe(p.events(w, 5))
	want := "created a 1<-\ncreated b 1<-\nupdated a 2<1\ndeleted a 2<2\ncreated a 3<-\n"
	if got != want {
		t.Errorf("events:\n%swant:\n%s", got, want)
	}
}

func watchFromView(t *testing.T, p *place) {
	p.create("configmaps", configMap("a", "k", "1"))
	view := p.View()
	p.create("configmaps", configMap("b", "k", "1"))
	w := p.watch("configmaps", view) // later than the view it begins at
	if got := describe(p.events(w, 1)); got != "created b 1<-\n" {
		t.Errorf("events after the view: %s", got)
	}
}

func watchTwice(t *testing.T, p *place) {
	view := p.View()
	first := p.watch("configmaps", view)
	for i := range 20 {
		p.create("configmaps", configMap(fmt.Sprintf("m-%02d", i), "k", "1"))
	}
	second := p.watch("configmaps", view)
	if a, b := describe(p.events(first, 20)), describe(p.events(second, 20)); a != b {
		t.Errorf("two watches from one view differ:\n%s\n%s", a, b)
	}
}

func watchContext(t *testing.T, p *place) {
	w := p.watch("configmaps", p.View())
	ctx, cancel := context.WithCancel(p.ctx)
	cancel()
	if events, err := w.Next(ctx); err == nil || len(events) > 0 {
		t.Errorf("Next of an ended context gave %v, %v", events, err)
	}
	p.create("configmaps", configMap("a", "k", "1"))
	if got := describe(p.events(w, 1)); got != "created a 1<-\n" { // the watch itself goes on
		t.Errorf("events: %s", got)
	}
}

func watchThenView(t *testing.T, p *place) {
	w := p.watch("configmaps", p.View())
	for i := range 20 {
		name := fmt.Sprintf("m-%02d", i)
		p.must(p.Create(p.ctx, ref("configmaps", name), "", configMap(name), metav1.CreateOptions{}))
		for _, e := range p.events(w, 1) {
			if p.View().Get(client.RefOf("configmaps", e.Object)) == nil {
				t.Fatalf("%s was yielded, and the next view lacks it", e.Object.GetName())
			}
		}
	}
}
