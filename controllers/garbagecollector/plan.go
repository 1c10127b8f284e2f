package garbagecollector

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/client"
)

// dependent is an object that names an owner.
type dependent struct {
	ref client.Ref
	obj client.Object
}

// classified are the owners that an object names.
type classified struct {
	solid   []types.UID // exist, and do not wait for the object to go
	waiting []types.UID // are being deleted in the foreground
	absent  []types.UID // do not exist (any more)
	untold  bool        // there is one of which nothing tells when it goes
}

// verb is what to do with an object.
type verb uint8

const (
	leave verb = iota
	dropOwners
	remove
	orphan // take the owner out of its dependents, then let it go
	release
)

// action is what to do with one object.
type action struct {
	verb     verb
	drop     []types.UID                // dropOwners: these references
	policy   metav1.DeletionPropagation // remove: with this policy
	unblock  bool                       // remove: but first stop holding up the owners, which wait in a circle
	orphaned []dependent                // orphan: these
}

// decideDeleted says what to do with an object that is being deleted, given those that name it as their owner.
func decideDeleted(obj client.Object, dependents []dependent) action {
	switch {
	case has(obj, metav1.FinalizerOrphanDependents):
		return action{verb: orphan, orphaned: dependents}
	case waits(obj) && !slices.ContainsFunc(dependents, func(d dependent) bool { return blocks(d.obj, obj.GetUID()) }):
		return action{verb: release}
	}
	return action{verb: leave}
}

// decideOwned says what to do with an object that is not being deleted, given what became of its owners.
func decideOwned(obj client.Object, owners classified, dependents []dependent) action {
	gone := slices.Concat(owners.absent, owners.waiting)
	switch {
	case len(gone) == 0:
		return action{verb: leave}
	case len(owners.solid) > 0:
		return action{verb: dropOwners, drop: gone}
	case len(owners.waiting) > 0 && len(dependents) > 0:
		circle := slices.ContainsFunc(dependents, func(d dependent) bool { return waits(d.obj) })
		return action{verb: remove, policy: metav1.DeletePropagationForeground, unblock: circle}
	case has(obj, metav1.FinalizerOrphanDependents):
		return action{verb: remove, policy: metav1.DeletePropagationOrphan}
	case has(obj, metav1.FinalizerDeleteDependents):
		return action{verb: remove, policy: metav1.DeletePropagationForeground}
	}
	return action{verb: remove, policy: metav1.DeletePropagationBackground}
}

func has(obj client.Object, finalizer string) bool {
	return slices.Contains(obj.GetFinalizers(), finalizer)
}

// waits says whether an object is being deleted in the foreground: it stays until its dependents have gone.
func waits(obj client.Object) bool {
	return obj.GetDeletionTimestamp() != nil && has(obj, metav1.FinalizerDeleteDependents)
}

// blocks says whether a dependent holds up the deletion of an owner.
func blocks(obj client.Object, owner types.UID) bool {
	return slices.ContainsFunc(obj.GetOwnerReferences(), func(ref metav1.OwnerReference) bool {
		return ref.UID == owner && ref.BlockOwnerDeletion != nil && *ref.BlockOwnerDeletion
	})
}

func names(obj client.Object, owner types.UID) bool {
	return slices.ContainsFunc(obj.GetOwnerReferences(), func(ref metav1.OwnerReference) bool { return ref.UID == owner })
}
