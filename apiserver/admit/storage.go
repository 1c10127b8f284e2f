package admit

import (
	"context"
	"errors"
	"slices"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"

	"proa/kinds/core"
	"proa/kinds/storage"
)

const classesTable = "storageclasses.storage.k8s.io"

// defaultClass gives claims that name no class the cluster's.
func defaultClass(_ context.Context, a *Attributes) error {
	claim, ok := a.Object.(*corev1.PersistentVolumeClaim)
	if !ok || a.Operation != Create || a.Subresource != "" || !storage.NamesNoClass(claim) {
		return nil
	}
	if class := storage.DefaultClass(all[*storagev1.StorageClass](a, classesTable, "")); class != nil {
		claim.Spec.StorageClassName = &class.Name
	}
	return nil
}

// protectStorage keeps claims and volumes that are in use from going before those who use them.
func protectStorage(_ context.Context, a *Attributes) error {
	if a.Operation != Create || a.Subresource != "" {
		return nil
	}
	finalizer := ""
	switch a.Object.(type) {
	case *corev1.PersistentVolumeClaim:
		finalizer = storage.ClaimProtection
	case *corev1.PersistentVolume:
		finalizer = storage.VolumeProtection
	default:
		return nil
	}
	if have := a.Object.GetFinalizers(); !slices.Contains(have, finalizer) {
		a.Object.SetFinalizers(append(slices.Clone(have), finalizer))
	}
	return nil
}

var errNoResize = errors.New("only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize")

// checkResize lets a claim ask for more only where its class says that its volumes can grow.
func checkResize(_ context.Context, a *Attributes) error {
	claim, ok := a.Object.(*corev1.PersistentVolumeClaim)
	if !ok || a.Operation != Update || a.Subresource != "" {
		return nil
	}
	old, ok := a.Old.(*corev1.PersistentVolumeClaim)
	if !ok {
		return nil
	}
	now, before := claim.Spec.Resources.Requests[corev1.ResourceStorage], old.Spec.Resources.Requests[corev1.ResourceStorage]
	if now.Cmp(before) <= 0 {
		return nil
	}
	if old.Status.Phase != corev1.ClaimBound {
		return Forbidden(a, errors.New("Only bound persistent volume claims can be expanded")) //nolint:staticcheck // upstream's words
	}
	class, ok := lookup[*storagev1.StorageClass](a, classesTable, "", core.ClassOfClaim(claim))
	if !ok || class.AllowVolumeExpansion == nil || !*class.AllowVolumeExpansion {
		return Forbidden(a, errNoResize)
	}
	return nil
}
