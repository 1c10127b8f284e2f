package patch

import (
	"strings"
	"testing"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"proa/apiserver/encode"
	"proa/kinds"
)

// TestPatchOfAnotherForm sends patches that the merge library does not survive: the client is told, and the object is as it was.
func TestPatchOfAnotherForm(t *testing.T) {
	version := encode.Stored(kinds.Builtin().ByTable("pods"))
	for _, body := range []string{
		`{"metadata": {"$setElementOrder/finalizers": [{"name": "c"}], "finalizers": [{"name": "c"}]}}`,
		`{"spec": {"containers": [{"name": "c", "$setElementOrder/args": [[1]], "args": [[1]]}]}}`,
	} {
		pod := &corev1.Pod{}
		pod.Name, pod.Finalizers = "a", []string{"example.com/f"}
		pod.Spec.Containers = []corev1.Container{{Name: "c", Args: []string{"a"}}}
		before := pod.DeepCopy()
		p := &Patch{Kind: types.StrategicMergePatchType, Body: []byte(body), Version: version, Warn: func(string) {}}
		_, err := NewFields(kinds.NewScheme()).patched(p, pod)
		if !apierrors.IsBadRequest(err) || !strings.Contains(err.Error(), "the strategic merge patch does not have the form of the object") {
			t.Errorf("%s: %v", body, err)
		}
		if pod.String() != before.String() {
			t.Errorf("%s changed the object to %v", body, pod)
		}
	}
	scale := `{"metadata": {"$setElementOrder/finalizers": [{}], "finalizers": [{}]}}`
	p := &Patch{Kind: types.StrategicMergePatchType, Body: []byte(scale), Warn: func(string) {}}
	if _, err := PatchScale(p, &autoscalingv1.Scale{}); !apierrors.IsBadRequest(err) {
		t.Errorf("of a Scale: %v", err)
	}
}
