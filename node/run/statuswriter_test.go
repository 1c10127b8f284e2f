package run

import (
	"log/slog"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/client"
	"proa/client/fake"
	"proa/kinds"
	"proa/node/pod"
)

// TestStatusOfReplacedPod: a pod was removed by force and its name given to another. The last status of the first one has
// nowhere to go, which must not hold up its end.
func TestStatusOfReplacedPod(t *testing.T) {
	api := fake.New(fake.Config{Kinds: kinds.Builtin()})
	now := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web-0", UID: "second"}}
	api.Put(now)
	first := now.DeepCopy()
	first.UID, first.ResourceVersion = "first", "1"
	w := newStatusWriter(api.As("node"), first, slog.New(slog.DiscardHandler))
	w.want(first, v1.PodStatus{Phase: v1.PodFailed})
	if err := w.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	stored, err := api.As("node").GetLive(t.Context(), client.RefOf("pods", now))
	if err != nil || stored.(*v1.Pod).Status.Phase == v1.PodFailed {
		t.Fatalf("the second pod has the first one's status: %v, %v", stored, err)
	}
	if !w.mu.gone {
		t.Error("the writer goes on")
	}
}

// TestStatusOfStaticPod: it is written to the mirror of now, whoever deletes that, and nowhere while there is none.
func TestStatusOfStaticPod(t *testing.T) {
	api := fake.New(fake.Config{Kinds: kinds.Builtin()})
	own := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web-node", UID: "static", Annotations: map[string]string{pod.AnnotationSource: "file"}}}
	w := newStatusWriter(api.As("node"), own, slog.New(slog.DiscardHandler))
	show := func(uid types.UID) *v1.Pod {
		t.Helper()
		mirror := pod.Mirror(own, "node")
		mirror.UID = uid
		api.Put(mirror)
		stored, err := api.As("node").GetLive(t.Context(), client.RefOf("pods", own))
		if err != nil {
			t.Fatal(err)
		}
		w.showBy(stored.(*v1.Pod))
		return stored.(*v1.Pod)
	}
	flush := func(want v1.PodPhase) {
		t.Helper()
		if err := w.flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		stored, err := api.As("node").GetLive(t.Context(), client.RefOf("pods", own))
		if err != nil || stored.(*v1.Pod).Status.Phase != want {
			t.Fatalf("the mirror says %v, %v; want %s", stored, err, want)
		}
	}
	w.want(own, v1.PodStatus{Phase: v1.PodRunning})
	if err := w.flush(t.Context()); err != nil {
		t.Fatalf("without a mirror: %v", err)
	}
	first := show("first")
	flush(v1.PodRunning)
	show("second")
	w.hide(first.UID) // the news is late
	flush(v1.PodRunning)
	w.want(own, v1.PodStatus{Phase: v1.PodFailed})
	flush(v1.PodFailed)
}
