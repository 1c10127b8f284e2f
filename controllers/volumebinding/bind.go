package volumebinding

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/kinds/storage"
)

// bind completes what a volume and a claim say of each other: the volume's reference, its status, the claim's reference,
// its status, in this order; what is as it should be is not written.
func (w *work) bind(ctx context.Context, v *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim) error {
	v, err := w.claimVolume(ctx, v, claim)
	if err != nil {
		return err
	}
	if v, err = w.grow(ctx, v, claim); err != nil {
		return err
	}
	if err := w.volumePhase(ctx, v, corev1.VolumeBound, ""); err != nil {
		return err
	}
	next := claim.DeepCopy()
	if next.Spec.VolumeName == "" {
		next.Spec.VolumeName = v.Name
		metav1.SetMetaDataAnnotation(&next.ObjectMeta, storage.BoundByController, "yes")
	}
	metav1.SetMetaDataAnnotation(&next.ObjectMeta, storage.BindCompleted, "yes")
	if !equality.Semantic.DeepEqual(next, claim) {
		if next, err = w.updateClaim(ctx, next); err != nil {
			return err
		}
	}
	return w.boundStatus(ctx, v, next)
}

// claimVolume makes the volume the claim's.
func (w *work) claimVolume(ctx context.Context, v *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim) (*corev1.PersistentVolume, error) {
	if ref := v.Spec.ClaimRef; ref != nil && ref.UID == claim.UID {
		return v, nil
	}
	next := v.DeepCopy()
	if next.Spec.ClaimRef == nil {
		metav1.SetMetaDataAnnotation(&next.ObjectMeta, storage.BoundByController, "yes")
	}
	next.Spec.ClaimRef = &corev1.ObjectReference{
		Kind: "PersistentVolumeClaim", APIVersion: "v1", Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID, ResourceVersion: claim.ResourceVersion,
	}
	return w.updateVolume(ctx, next)
}

// grow gives a claim that asks for more the room, where volumes are directories: they have no size of their own.
func (w *work) grow(ctx context.Context, v *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim) (*corev1.PersistentVolume, error) {
	has, wants := v.Spec.Capacity[corev1.ResourceStorage], claim.Spec.Resources.Requests[corev1.ResourceStorage]
	if _, _, local := storage.LocalVolume(v); !local || has.Cmp(wants) >= 0 {
		return v, nil
	}
	next := v.DeepCopy()
	next.Spec.Capacity[corev1.ResourceStorage] = wants
	return w.updateVolume(ctx, next)
}

func (w *work) updateVolume(ctx context.Context, v *corev1.PersistentVolume) (*corev1.PersistentVolume, error) {
	written, err := w.Client.Update(ctx, client.RefOf(volumesTable, v), "", v, metav1.UpdateOptions{})
	if err != nil {
		return nil, fmt.Errorf("update volume %s: %w", v.Name, err)
	}
	return written.(*corev1.PersistentVolume), nil
}

func (w *work) boundStatus(ctx context.Context, v *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim) error {
	next := claim.DeepCopy()
	next.Status.Phase = corev1.ClaimBound
	next.Status.AccessModes = v.Spec.AccessModes
	if next.Status.Capacity == nil {
		next.Status.Capacity = corev1.ResourceList{}
	}
	if _, _, local := storage.LocalVolume(v); local || claim.Status.Phase != corev1.ClaimBound { // else the resizer's
		next.Status.Capacity[corev1.ResourceStorage] = v.Spec.Capacity[corev1.ResourceStorage]
	}
	next.Status.CurrentVolumeAttributesClassName = v.Spec.VolumeAttributesClassName
	if equality.Semantic.DeepEqual(next.Status, claim.Status) {
		return nil
	}
	if _, err := w.Client.Update(ctx, client.RefOf(claimsTable, next), "status", next, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("write status of claim %s: %w", w.Key, err)
	}
	return nil
}

// syncVolume says what state a volume is in. Binding is done from the claim's side.
func (w *work) syncVolume(ctx context.Context, v *corev1.PersistentVolume) error {
	ref := v.Spec.ClaimRef
	if ref == nil || ref.UID == "" { // free, or meant for a claim that may come
		return w.volumePhase(ctx, v, corev1.VolumeAvailable, "")
	}
	claim, ok := client.Get[*corev1.PersistentVolumeClaim](w.View, claimsTable, ref.Namespace, ref.Name)
	switch {
	case !ok || claim.UID != ref.UID:
		return w.release(ctx, v)
	case claim.Spec.VolumeName == v.Name:
		return w.volumePhase(ctx, v, corev1.VolumeBound, "")
	case claim.Spec.VolumeName == "": // the claim's turn
		return nil
	case v.Annotations[storage.ProvisionedBy] != "" && v.Spec.PersistentVolumeReclaimPolicy == corev1.PersistentVolumeReclaimDelete:
		return w.release(ctx, v) // made for a claim that took another meanwhile
	case v.Annotations[storage.BoundByController] != "": // the claim took another: this one is free again
		next := v.DeepCopy()
		next.Spec.ClaimRef = nil
		delete(next.Annotations, storage.BoundByController)
		_, err := w.updateVolume(ctx, next)
		return err
	}
	return nil
}

// release leaves a volume whose claim is gone to its policy: it is kept, or its maker deletes it.
func (w *work) release(ctx context.Context, v *corev1.PersistentVolume) error {
	if v.Status.Phase == corev1.VolumeFailed {
		return nil
	}
	if v.Spec.PersistentVolumeReclaimPolicy == corev1.PersistentVolumeReclaimRecycle {
		w.Events.Eventf(v, corev1.EventTypeWarning, "VolumeFailedRecycle", "No recycler plugin found for the volume!")
		return w.volumePhase(ctx, v, corev1.VolumeFailed, "No recycler plugin found for the volume!")
	}
	return w.volumePhase(ctx, v, corev1.VolumeReleased, "")
}

func (w *work) volumePhase(ctx context.Context, v *corev1.PersistentVolume, phase corev1.PersistentVolumePhase, message string) error {
	if v.Status.Phase == phase {
		return nil
	}
	next := v.DeepCopy()
	now := metav1.NewTime(w.Now)
	next.Status.Phase, next.Status.Message, next.Status.LastPhaseTransitionTime = phase, message, &now
	if _, err := w.Client.Update(ctx, client.RefOf(volumesTable, next), "status", next, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("write status of volume %s: %w", v.Name, err)
	}
	return nil
}
