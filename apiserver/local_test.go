package apiserver_test

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"testing"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/apiserver/admit"
	"proa/apiserver/auth"
	"proa/apiserver/encode"
	"proa/client"
	"proa/kinds"
)

var configMaps = client.Ref{Table: "configmaps", Namespace: "n", Name: "a"}

func newConfigMap(name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "n"}, Data: map[string]string{"k": "v"}}
}

func TestLocal(t *testing.T) {
	p := newPlace(t)
	ctx := context.Background()
	local := p.server.Local(auth.User{Name: "system:serviceaccount:kube-system:some-controller"})
	before := local.View()
	watcher, err := local.Watch("configmaps", before)
	if err != nil {
		t.Fatal(err)
	}
	mine := newConfigMap("a")
	written, err := local.Create(ctx, client.Ref{Table: "configmaps"}, "", mine, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if mine.UID != "" || written.GetUID() == "" || written.GetManagedFields()[0].Manager != "some-controller" {
		t.Errorf("given %+v, got %+v", mine.ObjectMeta, written)
	}
	if seen, ok := client.Get[*corev1.ConfigMap](local.View(), "configmaps", "n", "a"); !ok || client.Object(seen) != written {
		t.Errorf("the view after a write shows %v, not the one copy that was written", seen)
	}
	if before.Get(configMaps) != nil {
		t.Error("a view changed")
	}
	changed := written.DeepCopyObject().(*corev1.ConfigMap)
	changed.Data["k"] = "w"
	if _, err := local.Update(ctx, configMaps, "", changed, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := local.Update(ctx, configMaps, "", changed, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
		t.Errorf("update of an old version: %v", err)
	}
	if _, err := local.Patch(ctx, configMaps, "", types.MergePatchType, []byte(`{"data":{"k":"x"}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := local.Delete(ctx, configMaps, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := local.Delete(ctx, configMaps, metav1.DeleteOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("second delete: %v", err)
	}
	want := []string{"1 v ", "2 w v", "2 x w", "3 x x"}
	for len(want) > 0 {
		events, err := watcher.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			old := ""
			if e.Old != nil {
				old = e.Old.(*corev1.ConfigMap).Data["k"]
			}
			if got := fmt.Sprint(e.Type, " ", e.Object.(*corev1.ConfigMap).Data["k"], " ", old); got != want[0] {
				t.Errorf("event %q, want %q", got, want[0])
			}
			want = want[1:]
		}
	}
}

func TestLocalIsAuthorized(t *testing.T) {
	p := newPlace(t)
	local := p.server.Local(auth.User{Name: "nobody"})
	if _, err := local.Create(context.Background(), configMaps, "", newConfigMap("a"), metav1.CreateOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("create by nobody: %v", err)
	}
	if err := local.Delete(context.Background(), configMaps, metav1.DeleteOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("delete by nobody: %v", err)
	}
}

func TestLocalScaleAndBind(t *testing.T) {
	p := newPlace(t)
	ctx := context.Background()
	local := p.server.Local(auth.User{Name: "system:kube-scheduler"})
	p.do("POST /apis/apps/v1/namespaces/n/deployments\n\n" + `{"metadata":{"name":"d"},"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}}`)
	ref := client.Ref{Table: "deployments.apps", Namespace: "n", Name: "d"}
	scale := &autoscalingv1.Scale{ObjectMeta: metav1.ObjectMeta{Name: "d", Namespace: "n"}, Spec: autoscalingv1.ScaleSpec{Replicas: 7}}
	out, err := local.Update(ctx, ref, "scale", scale, metav1.UpdateOptions{})
	if err != nil || out.(*autoscalingv1.Scale).Spec.Replicas != 7 {
		t.Errorf("scale: %v, %v", out, err)
	}
	p.do("POST /api/v1/namespaces/n/pods\n\n" + `{"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i"}]}}`)
	binding := &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: "node"}}
	ref = client.Ref{Table: "pods", Namespace: "n", Name: "p"}
	if _, err := local.Create(ctx, ref, "binding", binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if pod, _ := client.Get[*corev1.Pod](local.View(), "pods", "n", "p"); pod.Spec.NodeName != "node" {
		t.Errorf("bound to %q", pod.Spec.NodeName)
	}
}

// TestConcurrentWriters: patches of one object all take effect, a counter by compare-and-swap loses nothing, generated
// names and service addresses are unique.
func TestConcurrentWriters(t *testing.T) {
	steps, err := admit.Steps(admit.Config{ServiceCIDRs: []netip.Prefix{netip.MustParsePrefix("10.96.0.0/24")}, Encode: encode.ToStore, Kind: kinds.Builtin().ByKind,
		Authorizer: asUser{}, Pick: func(int) int { return 0 }}) // everybody wants the same
	if err != nil {
		t.Fatal(err)
	}
	p := newPlace(t, steps...)
	ctx := context.Background()
	local := p.server.Local(auth.User{Name: "writer"})
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "n"}}
	if _, err := local.Create(ctx, client.Ref{Table: "namespaces"}, "", namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := local.Create(ctx, configMaps, "", newConfigMap("a"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	const writers = 16
	var wait sync.WaitGroup
	for i := range writers {
		wait.Go(func() {
			patch := fmt.Sprintf(`{"data":{"k%d":"v"}}`, i)
			if _, err := local.Patch(ctx, configMaps, "", types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
				t.Error(err)
			}
			service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{GenerateName: "s-", Namespace: "n"},
				Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeNodePort, Ports: []corev1.ServicePort{{Port: 80}}}}
			if _, err := local.Create(ctx, client.Ref{Table: "services"}, "", service, metav1.CreateOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if m, _ := client.Get[*corev1.ConfigMap](local.View(), "configmaps", "n", "a"); len(m.Data) != writers+1 {
		t.Errorf("%d keys after %d patches", len(m.Data), writers)
	}
	addresses, ports := map[string]bool{}, map[int32]bool{}
	for s := range client.List[*corev1.Service](local.View(), "services", "n") {
		addresses[s.Spec.ClusterIP], ports[s.Spec.Ports[0].NodePort] = true, true
	}
	if len(addresses) != writers || len(ports) != writers {
		t.Errorf("%d services have %d addresses and %d node ports", writers, len(addresses), len(ports))
	}
}
