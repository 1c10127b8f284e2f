// Package volumebinding brings claims and persistent volumes together.
//
// It decides which volume a claim gets, and what becomes of a volume whose claim is gone; it owns the two references
// between them and the status of both; the controller host calls it. A volume is marked as the claim's first and the claim
// as the volume's after that, so that whatever breaks off in between is completed by the next run. When there is no volume,
// events say so and the claim waits for a volume or a class to come.
package volumebinding

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"

	"proa/client"
	"proa/kinds/core"
	"proa/kinds/storage"
	"proa/reconcile"
)

const (
	claimsTable  = "persistentvolumeclaims"
	volumesTable = "persistentvolumes"
	classesTable = "storageclasses.storage.k8s.io"
)

// Identity is the user as which claims are bound and volumes are made.
const Identity = "system:serviceaccount:kube-system:persistent-volume-binder"

// New makes the controller. Its keys are claims, and volumes, which have no namespace.
func New() reconcile.Controller {
	return reconcile.Controller{
		Name:     "volume-binding",
		Identity: Identity,
		Source:   "persistentvolume-controller",
		Reads: []reconcile.Read{
			{Table: claimsTable, Keys: keysOfClaim},
			{Table: volumesTable, Keys: keysOfVolume},
			{Table: classesTable, Keys: keysOfClass},
		},
		Writes: []string{
			"persistentvolumeclaims/status", "persistentvolumeclaims/spec.volumeName", "persistentvolumeclaims/spec.storageClassName",
			"persistentvolumes/status", "persistentvolumes/spec.claimRef", "persistentvolumes/spec.capacity(of local volumes)",
		},
		Reconcile: run,
		Workers:   4,
	}
}

// keysOfClaim: the volume that a claim names, and those that name it, learn of its end too.
func keysOfClaim(view client.View, event client.Event) []reconcile.Key {
	claim, ok := event.Object.(*corev1.PersistentVolumeClaim)
	if !ok {
		return nil
	}
	keys := []reconcile.Key{reconcile.KeyOf(claim)}
	if claim.Spec.VolumeName != "" {
		return append(keys, reconcile.Key{Name: claim.Spec.VolumeName})
	}
	if event.Type == client.Deleted {
		for v := range client.List[*corev1.PersistentVolume](view, volumesTable, "") {
			if storage.IsFor(v, claim) {
				keys = append(keys, reconcile.Key{Name: v.Name})
			}
		}
	}
	return keys
}

// keysOfVolume: a volume that is free may be what a waiting claim looks for.
func keysOfVolume(view client.View, event client.Event) []reconcile.Key {
	v, ok := event.Object.(*corev1.PersistentVolume)
	if !ok {
		return nil
	}
	keys := []reconcile.Key{{Name: v.Name}}
	if ref := v.Spec.ClaimRef; ref != nil {
		return append(keys, reconcile.Key{Namespace: ref.Namespace, Name: ref.Name})
	}
	return append(keys, waiting(view, func(claim *corev1.PersistentVolumeClaim) bool {
		return claim.Spec.VolumeName == v.Name || core.ClassOfClaim(claim) == core.ClassOfVolume(v)
	})...)
}

func keysOfClass(view client.View, event client.Event) []reconcile.Key {
	class, ok := event.Object.(*storagev1.StorageClass)
	if !ok {
		return nil
	}
	return waiting(view, func(claim *corev1.PersistentVolumeClaim) bool {
		return core.ClassOfClaim(claim) == class.Name || storage.NamesNoClass(claim)
	})
}

// waiting are the claims without a volume that match.
func waiting(view client.View, match func(*corev1.PersistentVolumeClaim) bool) []reconcile.Key {
	var keys []reconcile.Key
	for claim := range client.List[*corev1.PersistentVolumeClaim](view, claimsTable, "") {
		if !storage.IsBound(claim) && match(claim) {
			keys = append(keys, reconcile.KeyOf(claim))
		}
	}
	return keys
}

func run(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	w := &work{Request: req}
	if req.Namespace == "" {
		v, ok := client.Get[*corev1.PersistentVolume](req.View, volumesTable, "", req.Name)
		if !ok {
			return reconcile.Result{}, nil
		}
		return reconcile.Result{}, w.syncVolume(ctx, v)
	}
	claim, ok := client.Get[*corev1.PersistentVolumeClaim](req.View, claimsTable, req.Namespace, req.Name)
	if !ok || claim.DeletionTimestamp != nil && !storage.IsBound(claim) {
		return reconcile.Result{}, nil
	}
	if storage.IsBound(claim) || claim.Annotations[storage.BindCompleted] != "" {
		return reconcile.Result{}, w.syncBound(ctx, claim)
	}
	return reconcile.Result{}, w.syncUnbound(ctx, claim)
}
