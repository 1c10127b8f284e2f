package settle

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unsafe"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

func pod(name, owner, cpu string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "n", Labels: map[string]string{"app": "web"},
			OwnerReferences: []metav1.OwnerReference{{Name: "rs", UID: types.UID(owner), Controller: ptr.To(true)}}},
		Spec: corev1.PodSpec{
			Containers: []corev1.Container{{Name: "main", Env: []corev1.EnvVar{{Name: "A", Value: "1"}, {Name: "NAME", Value: name}},
				Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse(cpu)}}}},
			Tolerations: []corev1.Toleration{{Key: "k", TolerationSeconds: ptr.To(int64(300))}},
		},
	}
}

// Objects of one owner share what they have in common, and say what they said.
func TestShare(t *testing.T) {
	var p Pool
	a, b, c, stranger := pod("a", "1", "100m"), pod("b", "1", "0.1"), pod("c", "1", "200m"), pod("d", "2", "100m")
	for _, obj := range []*corev1.Pod{a, b, c, stranger} {
		before := text(t, obj)
		p.Share(obj, nil)
		p.Remember(obj)
		if after := text(t, obj); after != before {
			t.Errorf("it said %s and says %s", before, after)
		}
	}
	if &a.Spec.Tolerations[0] != &b.Spec.Tolerations[0] || a.OwnerReferences[0].Controller != b.OwnerReferences[0].Controller {
		t.Error("equal lists are not shared")
	}
	if &a.Spec.Containers[0] == &b.Spec.Containers[0] || &a.Spec.Containers[0].Env[0] == &b.Spec.Containers[0].Env[0] {
		t.Error("lists that differ are shared")
	}
	if cap(b.Spec.Tolerations) != len(b.Spec.Tolerations) {
		t.Error("who appends to a shared list could write into the other object")
	}
	b.Labels["probe"], b.Spec.Containers[0].Resources.Requests["probe"] = "", resource.Quantity{}
	if _, ok := a.Labels["probe"]; !ok {
		t.Error("equal maps of text are not shared")
	}
	if _, ok := a.Spec.Containers[0].Resources.Requests["probe"]; !ok {
		t.Error("equal amounts are not shared")
	}
	if _, ok := c.Spec.Containers[0].Resources.Requests["probe"]; ok {
		t.Error("amounts that differ are shared")
	}
	if &a.Spec.Tolerations[0] == &stranger.Spec.Tolerations[0] {
		t.Error("objects of two owners share")
	}
}

// A version shares with the one before it, whichever object of the kind came last.
func TestShareWithOld(t *testing.T) {
	var p Pool
	old, next := pod("a", "1", "1"), pod("a", "1", "1")
	next.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "m"}}
	old.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "m"}}
	p.Remember(pod("b", "1", "1"))
	p.Share(next, old)
	if &next.Spec.Containers[0] != &old.Spec.Containers[0] {
		t.Error("equal lists are not shared")
	}
	if &next.ManagedFields[0] == &old.ManagedFields[0] {
		t.Error("who owns fields is shared: it points into an object's bytes")
	}
	p.Share(next, &appsv1.Deployment{}) // of another type: nothing in common
}

// An object that is written may hold parts of one that is published, and those are not written to.
func TestShareLeavesWhatItRefersTo(t *testing.T) {
	var p Pool
	published, sibling := pod("a", "1", "100m"), pod("b", "1", "0.1")
	published.Spec.SecurityContext = &corev1.PodSecurityContext{SELinuxOptions: &corev1.SELinuxOptions{User: strings.Repeat("u", 100), Role: "a"}}
	sibling.Spec.SecurityContext = &corev1.PodSecurityContext{SELinuxOptions: &corev1.SELinuxOptions{User: strings.Repeat("u", 100), Role: "b"}}
	obj := &corev1.Pod{ObjectMeta: published.ObjectMeta, Spec: published.Spec}
	container, options := published.Spec.Containers[0], *published.Spec.SecurityContext.SELinuxOptions
	p.Share(obj, sibling)
	if now := published.Spec.Containers[0]; &now.Env[0] != &container.Env[0] || reflect.ValueOf(now.Resources.Requests).Pointer() != reflect.ValueOf(container.Resources.Requests).Pointer() {
		t.Error("a list of the published object was written to")
	}
	if now := published.Spec.SecurityContext.SELinuxOptions; unsafe.StringData(now.User) != unsafe.StringData(options.User) {
		t.Error("what the published object points at was written to")
	}
	if unsafe.StringData(obj.Spec.SecurityContext.SELinuxOptions.User) != unsafe.StringData(sibling.Spec.SecurityContext.SELinuxOptions.User) {
		t.Error("what is the same in part is not shared in part")
	}
	if text(t, obj.Spec) != text(t, published.Spec) {
		t.Errorf("it said %s and says %s", text(t, published.Spec), text(t, obj.Spec))
	}
}

// Nothing and something empty stay two things.
func TestShareKeepsNothing(t *testing.T) {
	for _, c := range [][2]*corev1.Secret{
		{{Data: map[string][]byte{}}, {}},
		{{Immutable: ptr.To(false)}, {}},
		{{Data: map[string][]byte{"k": {}}}, {Data: map[string][]byte{"k": nil}}},
		{{ObjectMeta: metav1.ObjectMeta{Finalizers: []string{}}}, {}},
		{{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{}}}, {}},
		{{ObjectMeta: metav1.ObjectMeta{Finalizers: []string{"a", "b"}}}, {ObjectMeta: metav1.ObjectMeta{Finalizers: []string{"a"}}}},
	} {
		for i := range c {
			var p Pool
			obj, old := c[i].DeepCopy(), c[1-i].DeepCopy()
			want, wantOld := obj.DeepCopy(), old.DeepCopy()
			p.Share(obj, old)
			if text(t, obj) != text(t, want) || text(t, old) != text(t, wantOld) || (obj.Finalizers == nil) != (want.Finalizers == nil) || (obj.Labels == nil) != (want.Labels == nil) {
				t.Errorf("%+v became %+v beside %+v", want, obj, old)
			}
		}
	}
}

func text(t *testing.T, obj any) string {
	t.Helper()
	b, err := json.Marshal(obj)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func BenchmarkShare(b *testing.B) {
	var p Pool
	old := pod("a", "1", "1")
	for b.Loop() {
		p.Share(old.DeepCopy(), old)
	}
}

// BenchmarkShareInPart is of a new pod beside its sibling.
func BenchmarkShareInPart(b *testing.B) {
	var p Pool
	one, other := pod("a", "1", "1"), pod("b", "1", "1")
	for b.Loop() {
		p.Share(one.DeepCopy(), other)
	}
}

func BenchmarkDeepCopy(b *testing.B) {
	old := pod("a", "1", "1")
	for b.Loop() {
		old.DeepCopy()
	}
}
