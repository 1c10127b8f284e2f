package run

import (
	"log/slog"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/client/fake"
	"proa/kinds"
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
