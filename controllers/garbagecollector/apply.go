package garbagecollector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/client"
	"proa/reconcile"
)

// apply carries out what was decided. Every write names the version that the decision was made from; if that has changed,
// the write fails and the object is looked at again.
func (c *collector) apply(ctx context.Context, req reconcile.Request, ref client.Ref, obj client.Object, a action) error {
	switch a.verb {
	case dropOwners:
		return ignoreNotFound(patchOwners(ctx, req.Client, ref, obj, without(obj.GetOwnerReferences(), a.drop)))
	case remove:
		return ignoreNotFound(c.remove(ctx, req, ref, obj, a))
	case orphan:
		if err := letGo(ctx, req, obj.GetUID(), a.orphaned); err != nil {
			return err
		}
		return ignoreNotFound(patchFinalizers(ctx, req.Client, ref, obj, metav1.FinalizerOrphanDependents))
	case release:
		return ignoreNotFound(patchFinalizers(ctx, req.Client, ref, obj, metav1.FinalizerDeleteDependents))
	}
	return nil
}

func (c *collector) remove(ctx context.Context, req reconcile.Request, ref client.Ref, obj client.Object, a action) error {
	if a.unblock {
		owners := slices.Clone(obj.GetOwnerReferences())
		for i := range owners {
			owners[i].BlockOwnerDeletion = new(bool)
		}
		// The patch changes the version that a deletion would name: the change brings the object back.
		if !slices.EqualFunc(owners, obj.GetOwnerReferences(), sameBlock) {
			return patchOwners(ctx, req.Client, ref, obj, owners)
		}
	}
	uid, version := obj.GetUID(), obj.GetResourceVersion()
	return req.Client.Delete(ctx, ref, metav1.DeleteOptions{
		PropagationPolicy: &a.policy,
		Preconditions:     &metav1.Preconditions{UID: &uid, ResourceVersion: &version},
	})
}

func sameBlock(a, b metav1.OwnerReference) bool {
	return (a.BlockOwnerDeletion != nil && *a.BlockOwnerDeletion) == (b.BlockOwnerDeletion != nil && *b.BlockOwnerDeletion)
}

// letGo takes an owner out of its dependents.
func letGo(ctx context.Context, req reconcile.Request, owner types.UID, dependents []dependent) error {
	errs := reconcile.Each(req.Parallel, len(dependents), func(i int) error {
		d := dependents[i]
		return ignoreNotFound(patchOwners(ctx, req.Client, d.ref, d.obj, without(d.obj.GetOwnerReferences(), []types.UID{owner})))
	})
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("orphan dependents: %w", err)
	}
	return nil
}

func without(owners []metav1.OwnerReference, drop []types.UID) []metav1.OwnerReference {
	return slices.DeleteFunc(slices.Clone(owners), func(ref metav1.OwnerReference) bool { return slices.Contains(drop, ref.UID) })
}

func patchOwners(ctx context.Context, c client.Client, ref client.Ref, obj client.Object, owners []metav1.OwnerReference) error {
	if len(owners) == 0 {
		owners = nil // null in a merge patch: the field goes
	}
	return patch(ctx, c, ref, obj, "ownerReferences", owners)
}

func patchFinalizers(ctx context.Context, c client.Client, ref client.Ref, obj client.Object, drop string) error {
	finalizers := slices.DeleteFunc(slices.Clone(obj.GetFinalizers()), func(f string) bool { return f == drop })
	if len(finalizers) == 0 {
		finalizers = nil
	}
	return patch(ctx, c, ref, obj, "finalizers", finalizers)
}

// patch is a JSON merge patch, for that is the one which all kinds understand, custom ones too.
func patch(ctx context.Context, c client.Client, ref client.Ref, obj client.Object, field string, value any) error {
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": obj.GetUID(), "resourceVersion": obj.GetResourceVersion(), field: value,
	}})
	if err != nil {
		return err
	}
	_, err = c.Patch(ctx, ref, "", types.MergePatchType, body, metav1.PatchOptions{})
	return err
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
