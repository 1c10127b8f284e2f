package fake_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/apiserver"
	"proa/apiserver/auth"
	"proa/apiserver/encode"
	"proa/client"
	"proa/client/fake"
	"proa/kinds"
	"proa/store/storetest"
)

// The fake and the real API server answer the same to the same: that is what makes tests on the fake worth something.

func realAPI(t *testing.T) client.Client {
	table := kinds.Builtin()
	server, err := apiserver.New(apiserver.Config{
		Store: storetest.New(t, encode.Decoder(table)), Kinds: table, Scheme: kinds.NewScheme(),
		Authenticator: nobody{}, Authorizer: everything{},
	})
	if err != nil {
		t.Fatal(err)
	}
	return server.Local(auth.User{Name: "user"})
}

type nobody struct{}

func (nobody) Authenticate(*http.Request) (auth.User, bool, error) { return auth.User{}, false, nil }

type everything struct{}

func (everything) Authorize(context.Context, auth.Attributes) (bool, string, error) {
	return true, "", nil
}

func fakeAPI(*testing.T) client.Client {
	return fake.New(fake.Config{Kinds: kinds.Builtin()}).As("user")
}

// script does writes one after the other and notes what each led to.
type script struct {
	t   *testing.T
	api client.Client
	out []string
}

func (s *script) note(what string, obj client.Object, err error) {
	switch {
	case err != nil:
		s.out = append(s.out, fmt.Sprintf("%s: %s", what, apierrors.ReasonForError(err)))
	case obj == nil:
		s.out = append(s.out, what+": ok")
	default:
		s.out = append(s.out, fmt.Sprintf("%s: generation %d deleting %t finalizers %v labels %v %s",
			what, obj.GetGeneration(), obj.GetDeletionTimestamp() != nil, obj.GetFinalizers(), obj.GetLabels(), inside(obj)))
	}
}

func inside(obj client.Object) string {
	switch o := obj.(type) {
	case *corev1.Pod:
		grace := "none"
		if o.DeletionGracePeriodSeconds != nil {
			grace = fmt.Sprint(*o.DeletionGracePeriodSeconds)
		}
		return fmt.Sprintf("phase %q node %q grace %s", o.Status.Phase, o.Spec.NodeName, grace)
	case *corev1.ConfigMap:
		return fmt.Sprint(o.Data)
	}
	return ""
}

func (s *script) create(obj client.Object, table string) client.Object {
	out, err := s.api.Create(s.t.Context(), client.RefOf(table, obj), "", obj, metav1.CreateOptions{})
	s.note("create "+obj.GetName(), out, err)
	return out
}

func (s *script) update(obj client.Object, table, sub string) client.Object {
	out, err := s.api.Update(s.t.Context(), client.RefOf(table, obj), sub, obj, metav1.UpdateOptions{})
	s.note("update "+sub, out, err)
	return out
}

func (s *script) patch(ref client.Ref, sub string, kind types.PatchType, patch string) {
	out, err := s.api.Patch(s.t.Context(), ref, sub, kind, []byte(patch), metav1.PatchOptions{})
	s.note("patch "+patch, out, err)
}

func (s *script) delete(ref client.Ref, opts metav1.DeleteOptions) {
	s.note("delete", nil, s.api.Delete(s.t.Context(), ref, opts))
	if obj := s.api.View().Get(ref); obj != nil {
		s.note("is still there", obj, nil)
	}
}

func (s *script) play() {
	s.api.Create(s.t.Context(), client.Ref{Table: "namespaces"}, "", &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "a"}}, metav1.CreateOptions{})
	s.configMaps()
	s.pods()
}

func (s *script) configMaps() {
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "one", Finalizers: []string{"example.com/hold"}}}
	ref := client.RefOf("configmaps", cm)
	first := s.create(cm, "configmaps")
	s.create(cm, "configmaps")
	s.note("get live", nil, live(s, client.Ref{Table: "configmaps", Namespace: "a", Name: "none"}))

	next := first.DeepCopyObject().(*corev1.ConfigMap)
	next.Data = map[string]string{"k": "v"}
	s.update(next, "configmaps", "")
	next.Data = map[string]string{"k": "late"}
	s.update(next, "configmaps", "") // with the version of the first
	s.patch(ref, "", types.MergePatchType, `{"metadata":{"labels":{"l":"m"}}}`)
	s.patch(ref, "", types.StrategicMergePatchType, `{"data":{"k":null}}`)
	s.patch(ref, "", types.JSONPatchType, `[{"op":"add","path":"/data","value":{"j":"p"}}]`)
	s.patch(ref, "", types.MergePatchType, `{"metadata":{"resourceVersion":"1"}}`)

	wrong := types.UID("wrong")
	s.delete(ref, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &wrong}})
	foreground := metav1.DeletePropagationForeground
	s.delete(ref, metav1.DeleteOptions{PropagationPolicy: &foreground})
	s.patch(ref, "", types.MergePatchType, `{"metadata":{"finalizers":["example.com/hold"]}}`)
	s.patch(ref, "", types.MergePatchType, `{"metadata":{"finalizers":null}}`)
	s.note("get live", nil, live(s, ref))
	s.delete(ref, metav1.DeleteOptions{})
}

func (s *script) pods() {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "p"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning},
	}
	ref := client.RefOf("pods", pod)
	created := s.create(pod, "pods")
	if created == nil {
		return
	}
	next := created.DeepCopyObject().(*corev1.Pod)
	next.Status.Phase = corev1.PodRunning
	next.Labels = map[string]string{"x": "y"}
	s.update(next, "pods", "status") // only the status
	_, err := s.api.Create(s.t.Context(), ref, "binding", &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "p"}, Target: corev1.ObjectReference{Kind: "Node", Name: "n"},
	}, metav1.CreateOptions{})
	s.note("bind", nil, err)
	s.patch(ref, "status", types.StrategicMergePatchType, `{"status":{"conditions":[{"type":"Ready","status":"True"}]}}`)
	s.patch(ref, "", types.MergePatchType, `{"status":{"phase":"Failed"}}`) // not through this door
	s.delete(ref, metav1.DeleteOptions{})
	s.delete(ref, *metav1.NewDeleteOptions(0))
}

func live(s *script, ref client.Ref) error {
	_, err := s.api.GetLive(s.t.Context(), ref)
	return err
}

func TestFakeAnswersAsTheRealAPI(t *testing.T) {
	real, fake := &script{t: t, api: realAPI(t)}, &script{t: t, api: fakeAPI(t)}
	real.play()
	fake.play()
	if !slices.Equal(real.out, fake.out) {
		for i := range max(len(real.out), len(fake.out)) {
			r, f := at(real.out, i), at(fake.out, i)
			if r != f {
				t.Errorf("step %d:\n real %s\n fake %s", i, r, f)
			}
		}
	}
	if len(real.out) < 20 || strings.Contains(strings.Join(real.out, "\n"), "InternalError") {
		t.Errorf("the script did not get far:\n%s", strings.Join(real.out, "\n"))
	}
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return "(nothing)"
}

// A watch shows each change of its table once, with the state before.
func TestWatch(t *testing.T) {
	for name, open := range map[string]func(*testing.T) client.Client{"real": realAPI, "fake": fakeAPI} {
		t.Run(name, func(t *testing.T) {
			api := open(t)
			watcher, err := api.Watch("namespaces", api.View())
			if err != nil {
				t.Fatal(err)
			}
			ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "a"}}
			ref := client.RefOf("namespaces", ns)
			if _, err := api.Create(t.Context(), ref, "", ns, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			if _, err := api.Patch(t.Context(), ref, "", types.MergePatchType, []byte(`{"metadata":{"labels":{"l":"m"}}}`), metav1.PatchOptions{}); err != nil {
				t.Fatal(err)
			}
			var got []string
			for len(got) < 2 {
				events, err := watcher.Next(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range events {
					got = append(got, fmt.Sprintf("%d %s old %t", e.Type, e.Object.GetLabels()["l"], e.Old != nil))
				}
			}
			if want := []string{"1  old false", "2 m old true"}; !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}
