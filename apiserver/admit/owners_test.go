package admit

import (
	"context"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/apiserver/auth"
	"proa/apiserver/encode"
	"proa/kinds"
)

// allows is an authorizer by a list of "verb resource/subresource namespace/name".
type allows []string

func (l allows) Authorize(_ context.Context, a auth.Attributes) (bool, string, error) {
	what := a.Verb + " " + a.Resource
	if a.Subresource != "" {
		what += "/" + a.Subresource
	}
	return slices.Contains(l, what+" "+a.Namespace+"/"+a.Name), "so says the list", nil
}

func TestOwnerReferencesPermissionEnforcement(t *testing.T) {
	ref := func(apiVersion, kind, name string, blocks bool) metav1.OwnerReference {
		return metav1.OwnerReference{APIVersion: apiVersion, Kind: kind, Name: name, UID: types.UID(name), BlockOwnerDeletion: &blocks}
	}
	set, blockingSet, node := ref("apps/v1", "ReplicaSet", "r", false), ref("apps/v1", "ReplicaSet", "r", true), ref("v1", "Node", "n", true)
	table := kinds.Builtin()
	pods := table.ByTable("pods")
	for _, c := range []struct {
		name        string
		may         allows
		old, now    []metav1.OwnerReference
		update      bool
		subresource string
		want        string
	}{
		{name: "none"},
		{name: "who creates may name an owner", now: []metav1.OwnerReference{set}},
		{name: "who cannot delete may not add one", now: []metav1.OwnerReference{set}, update: true,
			want: `pods "p" is forbidden: cannot set an ownerRef on a resource you can't delete: so says the list, <nil>`},
		{name: "nor take one away", old: []metav1.OwnerReference{set}, update: true,
			want: `pods "p" is forbidden: cannot set an ownerRef on a resource you can't delete: so says the list, <nil>`},
		{name: "who can, may", may: allows{"delete pods a/p"}, now: []metav1.OwnerReference{set}, update: true},
		{name: "what stays is not asked about", old: []metav1.OwnerReference{blockingSet}, now: []metav1.OwnerReference{blockingSet}, update: true},
		{name: "the status of pods has its own rule", now: []metav1.OwnerReference{set}, update: true, subresource: "status"},
		{name: "to block needs the owner's finalizers", now: []metav1.OwnerReference{blockingSet},
			want: `pods "p" is forbidden: cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: so says the list, <nil>`},
		{name: "in the namespace", may: allows{"update replicasets/finalizers a/r"}, now: []metav1.OwnerReference{blockingSet}},
		{name: "or of the cluster", may: allows{"update nodes/finalizers /n"}, now: []metav1.OwnerReference{node}},
		{name: "or of everything", may: allows{"update */finalizers /*"}, now: []metav1.OwnerReference{node, blockingSet}},
		{name: "each of them", may: allows{"update nodes/finalizers /n"}, now: []metav1.OwnerReference{node, blockingSet},
			want: `pods "p" is forbidden: cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: so says the list, <nil>`},
		{name: "one that begins to block", may: allows{"delete pods a/p"}, old: []metav1.OwnerReference{set}, now: []metav1.OwnerReference{blockingSet}, update: true,
			want: `pods "p" is forbidden: cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: so says the list, <nil>`},
		{name: "an unknown kind", now: []metav1.OwnerReference{ref("x/v1", "Thing", "t", true)},
			want: `pods "p" is forbidden: cannot set blockOwnerDeletion in this case because cannot find RESTMapping for APIVersion x/v1 Kind Thing: no matches for kind "Thing" in version "x/v1"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			pod := func(refs []metav1.OwnerReference) *corev1.Pod {
				return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "a", OwnerReferences: refs}}
			}
			a := &Attributes{Operation: Create, Resource: pods, Version: encode.Stored(pods), Namespace: "a", Name: "p", Object: pod(c.now), Subresource: c.subresource}
			if c.update {
				a.Operation, a.Old = Update, pod(c.old)
			}
			got := ""
			if err := (&owners{c.may, table.ByKind}).check(t.Context(), a); err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}
