package storage

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"proa/kinds/core"
)

// IsFor says whether the volume has been given to the claim, by name or for good.
func IsFor(v *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim) bool {
	ref := v.Spec.ClaimRef
	return ref != nil && ref.Namespace == claim.Namespace && ref.Name == claim.Name && (ref.UID == "" || ref.UID == claim.UID)
}

// Suits says whether the volume has what the claim asks for: the room, the class, the modes, the labels.
func Suits(v *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim) bool {
	has, wants := v.Spec.Capacity[corev1.ResourceStorage], claim.Spec.Resources.Requests[corev1.ResourceStorage]
	if has.Cmp(wants) < 0 || volumeMode(v.Spec.VolumeMode) != volumeMode(claim.Spec.VolumeMode) {
		return false
	}
	if IsFor(v, claim) {
		return true
	}
	if v.DeletionTimestamp != nil || core.ClassOfVolume(v) != core.ClassOfClaim(claim) || !hasModes(v, claim) {
		return false
	}
	if claim.Spec.Selector == nil {
		return true
	}
	selector, err := metav1.LabelSelectorAsSelector(claim.Spec.Selector)
	return err == nil && selector.Matches(labels.Set(v.Labels))
}

func volumeMode(mode *corev1.PersistentVolumeMode) corev1.PersistentVolumeMode {
	if mode == nil {
		return corev1.PersistentVolumeFilesystem
	}
	return *mode
}

func hasModes(v *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim) bool {
	for _, mode := range claim.Spec.AccessModes {
		if !slices.Contains(v.Spec.AccessModes, mode) {
			return false
		}
	}
	return true
}

// Best is the volume for a claim: the one that was meant for it, else the smallest free one that suits, among equals the
// first by name; nil if there is none. reserved: only one that was meant for it. may narrows the choice and can be nil.
func Best(volumes []*corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim, reserved bool, may func(*corev1.PersistentVolume) bool) *corev1.PersistentVolume {
	var best *corev1.PersistentVolume
	for _, v := range volumes {
		switch {
		case !Suits(v, claim) || may != nil && !may(v):
		case IsFor(v, claim):
			return v
		case reserved || v.Spec.ClaimRef != nil:
		case best == nil || smaller(v, best):
			best = v
		}
	}
	return best
}

func smaller(a, b *corev1.PersistentVolume) bool {
	x, y := a.Spec.Capacity[corev1.ResourceStorage], b.Spec.Capacity[corev1.ResourceStorage]
	if c := x.Cmp(y); c != 0 {
		return c < 0
	}
	return a.Name < b.Name
}

// Waits says whether volumes of the class are bound only when it is known where their first pod runs.
func Waits(class *storagev1.StorageClass) bool {
	return class != nil && class.VolumeBindingMode != nil && *class.VolumeBindingMode == storagev1.VolumeBindingWaitForFirstConsumer
}

// IsBound says whether the claim has its volume for good.
func IsBound(claim *corev1.PersistentVolumeClaim) bool {
	return claim.Spec.VolumeName != "" && claim.Annotations[BindCompleted] != ""
}

// DefaultClass is the class of claims that name none: the newest of those that are marked so, among equals the first by name.
func DefaultClass(classes func(func(*storagev1.StorageClass) bool)) *storagev1.StorageClass {
	var best *storagev1.StorageClass
	for class := range classes {
		if !IsDefault(class) {
			continue
		}
		switch {
		case best == nil, best.CreationTimestamp.Before(&class.CreationTimestamp),
			best.CreationTimestamp.Equal(&class.CreationTimestamp) && class.Name < best.Name:
			best = class
		}
	}
	return best
}

// NamesNoClass says whether a claim leaves its class to the cluster. One that names the empty class wants a volume without.
func NamesNoClass(claim *corev1.PersistentVolumeClaim) bool {
	_, annotated := claim.Annotations[corev1.BetaStorageClassAnnotation]
	return claim.Spec.StorageClassName == nil && !annotated
}
