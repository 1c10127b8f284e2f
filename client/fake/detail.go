package fake

import (
	"encoding/json"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"

	"proa/client"
)

// diff is a write as a JSON merge patch, without what the API itself sets. For a new object it is all of it.
func diff(old, obj client.Object) string {
	before := []byte("{}")
	if old != nil {
		before = marshal(old)
	}
	patch, err := jsonpatch.CreateMergePatch(before, marshal(obj))
	if err != nil {
		return err.Error()
	}
	return string(patch)
}

func marshal(obj client.Object) []byte {
	obj = obj.DeepCopyObject().(client.Object)
	obj.SetResourceVersion("")
	obj.SetUID("")
	obj.SetGeneration(0)
	obj.SetCreationTimestamp(metav1.Time{})
	out, err := json.Marshal(obj)
	if err != nil {
		return []byte("{}")
	}
	return out
}

func deleteDetail(opts metav1.DeleteOptions) string {
	var parts []string
	if p := opts.PropagationPolicy; p != nil {
		parts = append(parts, string(*p))
	}
	if p := opts.Preconditions; p != nil && p.UID != nil {
		parts = append(parts, "uid="+string(*p.UID))
	}
	if g := opts.GracePeriodSeconds; g != nil {
		if *g == 0 {
			parts = append(parts, "grace=0")
		} else {
			parts = append(parts, "grace")
		}
	}
	return strings.Join(parts, " ")
}
