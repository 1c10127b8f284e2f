package clienttest

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/client"
)

func createReturns(t *testing.T, p *place) {
	created := p.must(p.Create(p.ctx, client.Ref{Table: "configmaps"}, "", configMap("a", "k", "v"), metav1.CreateOptions{}))
	m, ok := created.(*corev1.ConfigMap)
	if !ok || m.Data["k"] != "v" || m.UID == "" || m.ResourceVersion == "" || m.CreationTimestamp.IsZero() {
		t.Errorf("created %v", created)
	}
}

func createNames(t *testing.T, p *place) {
	seen := map[string]bool{}
	for range 3 {
		m := configMap("", "k", "v")
		m.GenerateName = "made-"
		created := p.create("configmaps", m)
		if !strings.HasPrefix(created.GetName(), "made-") || len(created.GetName()) <= len("made-") {
			t.Fatalf("name %q", created.GetName())
		}
		seen[created.GetName()] = true
	}
	if len(seen) != 3 {
		t.Errorf("three objects have the names %v", seen)
	}
}

func createExists(t *testing.T, p *place) {
	p.create("configmaps", configMap("a"))
	_, err := p.Create(p.ctx, ref("configmaps", "a"), "", configMap("a"), metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) || !strings.Contains(err.Error(), `configmaps "a" already exists`) {
		t.Errorf("second creation: %v", err)
	}
}

func createLeaves(t *testing.T, p *place) {
	mine := configMap("a", "k", "v")
	p.create("configmaps", mine)
	if mine.UID != "" || mine.ResourceVersion != "" || mine.Kind != "" {
		t.Errorf("the caller's object became %v", mine)
	}
}

func updateConflict(t *testing.T, p *place) {
	created := p.create("configmaps", configMap("a", "k", "1")).(*corev1.ConfigMap)
	next := created.DeepCopy()
	next.Data["k"] = "2"
	updated := p.update("configmaps", "", next)
	if updated.GetResourceVersion() == created.ResourceVersion {
		t.Error("the update did not change the revision")
	}
	if got, _ := client.Get[*corev1.ConfigMap](p.View(), "configmaps", "default", "a"); got.Data["k"] != "2" {
		t.Errorf("view holds %v", got.Data)
	}
	stale := created.DeepCopy()
	stale.Data["k"] = "3"
	_, err := p.Update(p.ctx, ref("configmaps", "a"), "", stale, metav1.UpdateOptions{})
	if !apierrors.IsConflict(err) || !strings.Contains(err.Error(), "the object has been modified") {
		t.Errorf("update of a stale object: %v", err)
	}
}

func updateStatus(t *testing.T, p *place) {
	created := p.create("pods", pod("a")).(*corev1.Pod)
	next := created.DeepCopy()
	next.Status.Phase = corev1.PodRunning
	next.Labels = map[string]string{"kept": "no"}
	next.Spec.Containers[0].Image = "other"
	got := p.update("pods", "status", next).(*corev1.Pod)
	if got.Status.Phase != corev1.PodRunning || got.Spec.Containers[0].Image != "image" {
		t.Errorf("after an update of the status: phase %s, image %s", got.Status.Phase, got.Spec.Containers[0].Image)
	}
}

func updateObject(t *testing.T, p *place) {
	created := p.create("pods", pod("a")).(*corev1.Pod)
	next := created.DeepCopy()
	next.Status.Phase = corev1.PodRunning
	next.Labels = map[string]string{"new": "yes"}
	got := p.update("pods", "", next).(*corev1.Pod)
	if got.Status.Phase == corev1.PodRunning || got.Labels["new"] != "yes" {
		t.Errorf("after an update of the object: phase %s, labels %v", got.Status.Phase, got.Labels)
	}
}

func patches(t *testing.T, p *place) {
	p.create("configmaps", configMap("a", "x", "1"))
	for _, c := range []struct {
		kind  types.PatchType
		patch string
		want  string
	}{
		{types.MergePatchType, `{"data":{"y":"2"}}`, "y"},
		{types.StrategicMergePatchType, `{"data":{"z":"3"}}`, "z"},
		{types.JSONPatchType, `[{"op":"add","path":"/data/w","value":"4"}]`, "w"},
	} {
		got := p.must(p.Patch(p.ctx, ref("configmaps", "a"), "", c.kind, []byte(c.patch), metav1.PatchOptions{})).(*corev1.ConfigMap)
		if got.Data[c.want] == "" || got.Data["x"] != "1" {
			t.Errorf("%s: data %v", c.kind, got.Data)
		}
		p.wait(got)
	}
	_, err := p.Patch(p.ctx, ref("configmaps", "a"), "", types.JSONPatchType, []byte(`{"not":"a list"}`), metav1.PatchOptions{})
	if !apierrors.IsBadRequest(err) {
		t.Errorf("patch that is none: %v", err)
	}
	_, err = p.Patch(p.ctx, ref("configmaps", "b"), "", types.MergePatchType, []byte(`{}`), metav1.PatchOptions{})
	if !apierrors.IsNotFound(err) {
		t.Errorf("patch of nothing: %v", err)
	}
}

func patchStatus(t *testing.T, p *place) {
	p.create("pods", pod("a"))
	patch := `{"status":{"phase":"Running"},"spec":{"containers":[{"name":"main","image":"other"}]}}`
	got := p.must(p.Patch(p.ctx, ref("pods", "a"), "status", types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{})).(*corev1.Pod)
	if got.Status.Phase != corev1.PodRunning || got.Spec.Containers[0].Image != "image" {
		t.Errorf("phase %s, image %s", got.Status.Phase, got.Spec.Containers[0].Image)
	}
}

func deletes(t *testing.T, p *place) {
	p.create("configmaps", configMap("a"))
	before := p.View()
	if err := p.Delete(p.ctx, ref("configmaps", "a"), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	p.removed(ref("configmaps", "a"), before)
	if before.Get(ref("configmaps", "a")) == nil {
		t.Error("the view of before lost the object")
	}
	if _, err := p.GetLive(p.ctx, ref("configmaps", "a")); !apierrors.IsNotFound(err) {
		t.Errorf("live read: %v", err)
	}
}

func deletePreconditions(t *testing.T, p *place) {
	created := p.create("configmaps", configMap("a"))
	other := types.UID("other")
	err := p.Delete(p.ctx, ref("configmaps", "a"), metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &other}})
	if !apierrors.IsConflict(err) {
		t.Errorf("delete of another UID: %v", err)
	}
	uid, revision := created.GetUID(), created.GetResourceVersion()
	err = p.Delete(p.ctx, ref("configmaps", "a"), metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid, ResourceVersion: &revision}})
	if err != nil {
		t.Errorf("delete of this UID: %v", err)
	}
}

func deleteFinalizers(t *testing.T, p *place) {
	m := configMap("a")
	m.Finalizers = []string{"example.com/hold"}
	p.create("configmaps", m)
	if err := p.Delete(p.ctx, ref("configmaps", "a"), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	live := p.must(p.GetLive(p.ctx, ref("configmaps", "a"))).(*corev1.ConfigMap)
	if live.DeletionTimestamp == nil {
		t.Fatal("the object is not being deleted")
	}
	p.wait(live)
	before := p.View()
	freed := live.DeepCopy()
	freed.Finalizers = nil
	p.must(p.Update(p.ctx, ref("configmaps", "a"), "", freed, metav1.UpdateOptions{}))
	p.removed(ref("configmaps", "a"), before)
}

func invalid(t *testing.T, p *place) {
	_, err := p.Create(p.ctx, ref("configmaps", "a"), "", configMap("a", "not a key", "v"), metav1.CreateOptions{})
	if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "data[not a key]: Invalid value") {
		t.Errorf("create of an invalid object: %v", err)
	}
}

func binding(t *testing.T, p *place) {
	p.create("pods", pod("a"))
	b := &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "a"}, Target: corev1.ObjectReference{Kind: "Node", Name: "alpha"}}
	p.must(p.Create(p.ctx, ref("pods", "a"), "binding", b, metav1.CreateOptions{}))
	live := p.must(p.GetLive(p.ctx, ref("pods", "a"))).(*corev1.Pod)
	if live.Spec.NodeName != "alpha" {
		t.Errorf("the pod is on %q", live.Spec.NodeName)
	}
	p.wait(live)
	if seen, _ := client.Get[*corev1.Pod](p.View(), "pods", "default", "a"); seen == nil || seen.Spec.NodeName != "alpha" {
		t.Errorf("view holds %v", seen)
	}
}

func eviction(t *testing.T, p *place) {
	p.create("pods", pod("a"))
	before := p.View()
	e := &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "a"}}
	p.must(p.Create(p.ctx, ref("pods", "a"), "eviction", e, metav1.CreateOptions{}))
	p.removed(ref("pods", "a"), before)
}
