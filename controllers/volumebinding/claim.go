package volumebinding

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/kinds/core"
	"proa/kinds/storage"
	"proa/reconcile"
)

// work is one run.
type work struct {
	reconcile.Request
}

func (w *work) class(name string) *storagev1.StorageClass {
	class, _ := client.Get[*storagev1.StorageClass](w.View, classesTable, "", name)
	return class
}

// syncUnbound looks for a volume, or for somebody who makes one.
func (w *work) syncUnbound(ctx context.Context, claim *corev1.PersistentVolumeClaim) error {
	if name := claim.Spec.VolumeName; name != "" {
		return w.bindNamed(ctx, claim, name)
	}
	if storage.NamesNoClass(claim) {
		if class := storage.DefaultClass(client.List[*storagev1.StorageClass](w.View, classesTable, "")); class != nil {
			next := claim.DeepCopy()
			next.Spec.StorageClassName = &class.Name
			_, err := w.updateClaim(ctx, next)
			return err // its change comes back as an event
		}
	}
	name := core.ClassOfClaim(claim)
	class := w.class(name)
	delayed := storage.Waits(class) && claim.Annotations[storage.SelectedNode] == ""
	if v := storage.Best(slices.Collect(client.List[*corev1.PersistentVolume](w.View, volumesTable, "")), claim, delayed, nil); v != nil {
		return w.bind(ctx, v, claim)
	}
	switch {
	case delayed:
		w.Events.Eventf(claim, corev1.EventTypeNormal, "WaitForFirstConsumer", "waiting for first consumer to be created before binding")
	case name == "":
		w.Events.Eventf(claim, corev1.EventTypeNormal, "FailedBinding", "no persistent volumes available for this claim and no storage class is set")
	case class == nil:
		w.Events.Eventf(claim, corev1.EventTypeWarning, "ProvisioningFailed", "storageclass.storage.k8s.io %q not found", name)
	case class.Provisioner == storage.NoProvisioner:
		w.Events.Eventf(claim, corev1.EventTypeNormal, "FailedBinding", "no persistent volumes of class %q suit this claim, and the class makes none", name)
	default:
		return w.askProvisioner(ctx, claim, class)
	}
	return nil
}

// askProvisioner marks the claim for the provisioner of its class.
func (w *work) askProvisioner(ctx context.Context, claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass) error {
	if claim.Annotations[storage.ProvisionerOf] == class.Provisioner {
		if class.Provisioner != storage.LocalDriver {
			w.Events.Eventf(claim, corev1.EventTypeNormal, "ExternalProvisioning",
				"Waiting for a volume to be created either by the external provisioner '%s' or manually by the system administrator. "+
					"If volume creation is delayed, please verify that the provisioner is running and correctly registered.", class.Provisioner)
		}
		return nil
	}
	next := claim.DeepCopy()
	metav1.SetMetaDataAnnotation(&next.ObjectMeta, storage.ProvisionerOf, class.Provisioner)
	metav1.SetMetaDataAnnotation(&next.ObjectMeta, storage.BetaProvisionerOf, class.Provisioner)
	_, err := w.updateClaim(ctx, next)
	return err
}

// bindNamed binds a claim to the volume that its user chose.
func (w *work) bindNamed(ctx context.Context, claim *corev1.PersistentVolumeClaim, name string) error {
	v, ok := client.Get[*corev1.PersistentVolume](w.View, volumesTable, "", name)
	switch {
	case !ok: // it may come
		return nil
	case v.Spec.ClaimRef != nil && !storage.IsFor(v, claim):
		w.Events.Eventf(claim, corev1.EventTypeWarning, "FailedBinding", "volume %q already bound to a different claim.", name)
		return nil
	case v.Spec.ClaimRef == nil && !storage.Suits(v, claim):
		w.Events.Eventf(claim, corev1.EventTypeWarning, "VolumeMismatch", "Cannot bind to requested volume %q: it lacks the size, class, access modes or volume mode that the claim asks for", name)
		return nil
	}
	return w.bind(ctx, v, claim)
}

// syncBound keeps a claim and its volume in step, and says so when the volume is lost.
func (w *work) syncBound(ctx context.Context, claim *corev1.PersistentVolumeClaim) error {
	if claim.Spec.VolumeName == "" {
		return w.lost(ctx, claim, "ClaimLost", "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!")
	}
	v, ok := client.Get[*corev1.PersistentVolume](w.View, volumesTable, "", claim.Spec.VolumeName)
	switch {
	case !ok:
		return w.lost(ctx, claim, "ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!")
	case v.Spec.ClaimRef != nil && !storage.IsFor(v, claim):
		return w.lost(ctx, claim, "ClaimMisbound", "Two claims are bound to the same volume, this one is bound incorrectly")
	}
	return w.bind(ctx, v, claim)
}

func (w *work) lost(ctx context.Context, claim *corev1.PersistentVolumeClaim, reason, message string) error {
	if claim.Status.Phase == corev1.ClaimLost {
		return nil
	}
	next := claim.DeepCopy()
	next.Status.Phase = corev1.ClaimLost
	next.Status.AccessModes, next.Status.Capacity = nil, nil
	if _, err := w.Client.Update(ctx, client.RefOf(claimsTable, next), "status", next, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("write status of claim %s: %w", w.Key, err)
	}
	w.Events.Eventf(claim, corev1.EventTypeWarning, reason, "%s", message)
	return nil
}

func (w *work) updateClaim(ctx context.Context, claim *corev1.PersistentVolumeClaim) (*corev1.PersistentVolumeClaim, error) {
	written, err := w.Client.Update(ctx, client.RefOf(claimsTable, claim), "", claim, metav1.UpdateOptions{})
	if err != nil {
		return nil, fmt.Errorf("update claim %s/%s: %w", claim.Namespace, claim.Name, err)
	}
	return written.(*corev1.PersistentVolumeClaim), nil
}
