package verbs

import (
	"maps"
	"reflect"
	"sync"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/conversion"

	"proa/kinds/resource"
)

// keepTimes puts back the times of managedFields where they are all that obj changes of old, so that an update that changes
// nothing stays one: its owners' times are new because it set fields that the kind's rules reset, or because the client sent
// times of its own. Upstream's rule (k8s.io/apiserver, endpoints/handlers/fieldmanager/equality.go).
func keepTimes(obj, old resource.Object) {
	now, before := obj.GetManagedFields(), old.GetManagedFields()
	if !timesDiffer(now, before) || !equalButTimes(obj, old) {
		return
	}
	for i := range now {
		now[i].Time = before[i].Time
	}
	obj.SetManagedFields(now)
}

// timesDiffer says whether two lists of owners are the same but for their times.
func timesDiffer(now, before []metav1.ManagedFieldsEntry) bool {
	if len(now) != len(before) {
		return false
	}
	differ := false
	for i := range now {
		differ = differ || !now[i].Time.Equal(before[i].Time)
	}
	for i := range now {
		if differ && !sameOwner(now[i], before[i]) {
			return false
		}
	}
	return differ
}

func sameOwner(a, b metav1.ManagedFieldsEntry) bool {
	a.Time, b.Time = nil, nil
	return reflect.DeepEqual(a, b)
}

// equalButTimes compares objects whose owners are the same. Custom objects are compared as they are written, others by what
// they say.
func equalButTimes(obj, old resource.Object) bool {
	a, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return semantic().DeepEqual(obj, old)
	}
	b, ok := old.(*unstructured.Unstructured)
	return ok && reflect.DeepEqual(withoutOwners(a), withoutOwners(b))
}

func withoutOwners(u *unstructured.Unstructured) map[string]any {
	all := maps.Clone(u.Object)
	if meta, ok := all["metadata"].(map[string]any); ok {
		meta = maps.Clone(meta)
		delete(meta, "managedFields")
		all["metadata"] = meta
	}
	return all
}

// semantic is upstream's comparison of what objects say, less who owns what and what kind they are.
var semantic = sync.OnceValue(func() conversion.Equalities {
	all := equality.Semantic.Copy()
	all.AddFunc(func(metav1.ManagedFieldsEntry, metav1.ManagedFieldsEntry) bool { return true })
	all.AddFunc(func(metav1.TypeMeta, metav1.TypeMeta) bool { return true })
	return all
})
