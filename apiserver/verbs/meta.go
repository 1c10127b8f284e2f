package verbs

import (
	"fmt"
	"math/rand/v2"
	"reflect"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/kinds/resource"
)

const (
	nameAlphabet  = "bcdfghjklmnpqrstvwxz2456789" // no vowels: nothing that reads as a word
	nameSuffix    = 5
	maxNameLength = 63
)

// generateName completes a generateName as upstream does.
func generateName(prefix string) string {
	if limit := maxNameLength - nameSuffix; len(prefix) > limit {
		prefix = prefix[:limit]
	}
	b := make([]byte, nameSuffix)
	for i := range b {
		b[i] = nameAlphabet[rand.IntN(len(nameAlphabet))]
	}
	return prefix + string(b)
}

// dedupOwners drops owner references that are there twice, and says so.
func dedupOwners(q *Request, obj resource.Object) {
	refs := obj.GetOwnerReferences()
	if len(refs) < 2 {
		return
	}
	var kept []metav1.OwnerReference
	var dropped []string
	for _, ref := range refs {
		if hasOwner(kept, ref) {
			dropped = append(dropped, string(ref.UID))
			continue
		}
		kept = append(kept, ref)
	}
	if len(dropped) == 0 {
		return
	}
	obj.SetOwnerReferences(kept)
	for _, uid := range dropped {
		q.warn(fmt.Sprintf(".metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: %v", uid))
	}
}

func hasOwner(refs []metav1.OwnerReference, ref metav1.OwnerReference) bool {
	for i := range refs {
		if refs[i].UID == ref.UID && reflect.DeepEqual(refs[i], ref) {
			return true
		}
	}
	return false
}

// resetsManagedFields: the client sent an empty list, which asks for all ownership to be forgotten.
func resetsManagedFields(obj resource.Object) bool {
	m := obj.GetManagedFields()
	return m != nil && (len(m) == 0 || len(m) == 1 && reflect.DeepEqual(m[0], metav1.ManagedFieldsEntry{}))
}
