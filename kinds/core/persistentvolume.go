package core

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/diff"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/podspec"
	"proa/kinds/resource"
)

// PersistentVolume is the row of persistentvolumes.
func PersistentVolume() *resource.Resource {
	spec, status := corev1.PersistentVolumeSpec{}.SwaggerDoc(), corev1.PersistentVolumeStatus{}.SwaggerDoc()
	return &resource.Resource{
		Version: "v1", Name: "persistentvolumes", Singular: "persistentvolume", Kind: "PersistentVolume", ShortNames: []string{"pv"},
		New:     func() resource.Object { return &corev1.PersistentVolume{} },
		NewList: func() runtime.Object { return &corev1.PersistentVolumeList{} },
		Default: resource.Do(defaultPersistentVolume),
		PrepareCreate: resource.Do(func(v *corev1.PersistentVolume) {
			v.Status = corev1.PersistentVolumeStatus{Phase: corev1.VolumePending, LastPhaseTransitionTime: new(v.CreationTimestamp)}
		}),
		PrepareUpdate:            resource.Do2(func(v, old *corev1.PersistentVolume) { v.Status = *old.Status.DeepCopy() }),
		Validate:                 resource.Typed(validatePersistentVolume),
		ValidateUpdate:           resource.Typed2(validatePersistentVolumeUpdate),
		Warnings:                 persistentVolumeWarnings,
		AllowUnconditionalUpdate: true,
		Status: &resource.Subresource{
			Name:          "status",
			PrepareUpdate: resource.Do2(func(v, old *corev1.PersistentVolume) { v.Spec = *old.Spec.DeepCopy() }),
			RecordUpdate: func(obj, old resource.Object, now time.Time) {
				recordPhase(&obj.(*corev1.PersistentVolume).Status, &old.(*corev1.PersistentVolume).Status, metav1.NewTime(now).Rfc3339Copy())
			},
		},
		Columns: []resource.Column{
			meta.Name(),
			meta.Column("Capacity", spec["capacity"]),
			meta.Column("Access Modes", spec["accessModes"]),
			meta.Column("Reclaim Policy", spec["persistentVolumeReclaimPolicy"]),
			meta.Column("Status", status["phase"]),
			meta.Column("Claim", spec["claimRef"]),
			meta.Column("StorageClass", "StorageClass of the pv"),
			meta.Column("VolumeAttributesClass", "VolumeAttributesClass of the pv"),
			meta.Column("Reason", status["reason"]),
			meta.Age(),
			meta.Wide("VolumeMode", spec["volumeMode"]),
		},
		Row: resource.Typed(persistentVolumeRow),
	}
}

// recordPhase notes when the phase changed, unless the writer does.
func recordPhase(s, old *corev1.PersistentVolumeStatus, now metav1.Time) {
	switch {
	case s.Phase == old.Phase && s.LastPhaseTransitionTime == nil:
		s.LastPhaseTransitionTime = old.LastPhaseTransitionTime
	case s.Phase != old.Phase && (s.LastPhaseTransitionTime == nil || s.LastPhaseTransitionTime.Equal(old.LastPhaseTransitionTime)):
		s.LastPhaseTransitionTime = &now
	}
}

func defaultPersistentVolume(v *corev1.PersistentVolume) {
	if v.Status.Phase == "" {
		v.Status.Phase = corev1.VolumePending
	}
	if v.Spec.PersistentVolumeReclaimPolicy == "" {
		v.Spec.PersistentVolumeReclaimPolicy = corev1.PersistentVolumeReclaimRetain
	}
	if v.Spec.VolumeMode == nil {
		v.Spec.VolumeMode = new(corev1.PersistentVolumeFilesystem)
	}
	if s := v.Spec.HostPath; s != nil && s.Type == nil {
		s.Type = new(corev1.HostPathUnset)
	}
	meta.RoundUp(v.Spec.Capacity)
}

func validatePersistentVolume(v *corev1.PersistentVolume) field.ErrorList {
	errs := podspec.ValidateVolumeSpec(&v.Spec, v.Name, field.NewPath("spec"), false)
	if _, set := v.Annotations[corev1.MountOptionAnnotation]; set && !takesMountOptions(&v.Spec) {
		errs = append(errs, field.Forbidden(field.NewPath("metadata", "annotations", corev1.MountOptionAnnotation), "may not specify mount options for this volume type"))
	}
	return errs
}

func takesMountOptions(s *corev1.PersistentVolumeSpec) bool {
	return s.GCEPersistentDisk != nil || s.AWSElasticBlockStore != nil || s.Glusterfs != nil || s.NFS != nil || s.RBD != nil || s.Quobyte != nil ||
		s.ISCSI != nil || s.Cinder != nil || s.CephFS != nil || s.AzureFile != nil || s.VsphereVolume != nil || s.AzureDisk != nil ||
		s.PhotonPersistentDisk != nil
}

// validatePersistentVolumeUpdate: where the data is stays for good.
func validatePersistentVolumeUpdate(v, old *corev1.PersistentVolume) field.ErrorList {
	errs := validatePersistentVolume(v)
	source := v.Spec.PersistentVolumeSource.DeepCopy()
	if before, now := old.Spec.CSI, source.CSI; before != nil && now != nil && before.ControllerExpandSecretRef == nil {
		now.ControllerExpandSecretRef = nil // may be set once
	}
	if !equality.Semantic.DeepEqual(*source, old.Spec.PersistentVolumeSource) {
		errs = append(errs, field.Forbidden(field.NewPath("spec", "persistentvolumesource"),
			fmt.Sprintf("spec.persistentvolumesource is immutable after creation\n%v", diff.Diff(old.Spec.PersistentVolumeSource, *source))))
	}
	errs = append(errs, validation.ValidateImmutableField(v.Spec.VolumeMode, old.Spec.VolumeMode, field.NewPath("volumeMode"))...)
	if old.Spec.NodeAffinity != nil {
		if !sameNodes(v.Spec.NodeAffinity, old.Spec.NodeAffinity) {
			errs = append(errs, field.Invalid(field.NewPath("nodeAffinity"), v.Spec.NodeAffinity, "field is immutable, except for updating from beta label to GA"))
		}
	}
	if old.Spec.VolumeAttributesClassName != nil && v.Spec.VolumeAttributesClassName == nil {
		errs = append(errs, field.Forbidden(field.NewPath("spec", "volumeAttributesClassName"), "update from non-nil value to nil is forbidden"))
	}
	return errs
}

// stableLabels are the labels of nodes that once were beta, by the beta's name.
var stableLabels = map[string]string{
	corev1.LabelFailureDomainBetaZone: corev1.LabelTopologyZone, corev1.LabelFailureDomainBetaRegion: corev1.LabelTopologyRegion,
	corev1.LabelInstanceType: corev1.LabelInstanceTypeStable, "beta.kubernetes.io/os": corev1.LabelOSStable, "beta.kubernetes.io/arch": corev1.LabelArchStable,
}

// sameNodes lets the key of a label that was beta become the stable one. As upstream's, it also lets other keys become empty.
func sameNodes(now, before *corev1.VolumeNodeAffinity) bool {
	rule := equality.Semantic.Copy()
	if err := rule.AddFunc(func(now, before corev1.NodeSelectorRequirement) bool {
		if stableLabels[before.Key] == now.Key {
			before.Key = now.Key
		}
		return equality.Semantic.DeepEqual(now, before)
	}); err != nil {
		return false
	}
	return rule.DeepEqual(now, before)
}

// betaMountOptions is the annotation from before spec.mountOptions.
const betaMountOptions = "volume.beta.kubernetes.io/mount-options"

func persistentVolumeWarnings(obj, _ resource.Object) []string {
	v := obj.(*corev1.PersistentVolume)
	var warnings []string
	for _, old := range []struct{ key, text string }{
		{corev1.BetaStorageClassAnnotation, `deprecated since v1.8; use "storageClassName" attribute instead`},
		{betaMountOptions, `deprecated since v1.31; use "mountOptions" attribute instead`},
	} {
		if _, set := v.Annotations[old.key]; set {
			warnings = append(warnings, fmt.Sprintf("metadata.annotations[%s]: %s", old.key, old.text))
		}
	}
	if v.Spec.PersistentVolumeReclaimPolicy == corev1.PersistentVolumeReclaimRecycle {
		warnings = append(warnings, "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.")
	}
	if affinity := v.Spec.NodeAffinity; affinity != nil && affinity.Required != nil {
		for i := range affinity.Required.NodeSelectorTerms {
			at := field.NewPath("spec", "nodeAffinity", "required", "nodeSelectorTerms").Index(i)
			warnings = append(warnings, meta.NodeTermWarnings(at, &affinity.Required.NodeSelectorTerms[i], false)...)
		}
	}
	for _, source := range []struct {
		set        bool
		name, text string
	}{
		{v.Spec.CephFS != nil, "cephfs", "deprecated in v1.28, non-functional in v1.31+"},
		{v.Spec.PhotonPersistentDisk != nil, "photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"},
		{v.Spec.ScaleIO != nil, "scaleIO", "deprecated in v1.16, non-functional in v1.22+"},
		{v.Spec.StorageOS != nil, "storageOS", "deprecated in v1.22, non-functional in v1.25+"},
		{v.Spec.Glusterfs != nil, "glusterfs", "deprecated in v1.25, non-functional in v1.26+"},
		{v.Spec.RBD != nil, "rbd", "deprecated in v1.28, non-functional in v1.31+"},
	} {
		if source.set {
			warnings = append(warnings, fmt.Sprintf("spec.%s: %s", source.name, source.text))
		}
	}
	return warnings
}

func persistentVolumeRow(v *corev1.PersistentVolume) []any {
	claim := ""
	if ref := v.Spec.ClaimRef; ref != nil {
		claim = ref.Namespace + "/" + ref.Name
	}
	phase := string(v.Status.Phase)
	if v.DeletionTimestamp != nil {
		phase = "Terminating"
	}
	size := v.Spec.Capacity[corev1.ResourceStorage]
	return []any{
		v.Name, size.String(), accessModes(v.Spec.AccessModes), string(v.Spec.PersistentVolumeReclaimPolicy), phase, claim, ClassOfVolume(v),
		orUnset(v.Spec.VolumeAttributesClassName), v.Status.Reason, meta.Since(v.CreationTimestamp), orUnset(v.Spec.VolumeMode),
	}
}

// ClassOfVolume is the storage class of a volume, "" if it has none.
func ClassOfVolume(v *corev1.PersistentVolume) string {
	if class, set := v.Annotations[corev1.BetaStorageClassAnnotation]; set {
		return class
	}
	return v.Spec.StorageClassName
}

// accessModes abbreviates access modes, in upstream's order.
func accessModes(modes []corev1.PersistentVolumeAccessMode) string {
	var texts []string
	for _, known := range []struct {
		mode corev1.PersistentVolumeAccessMode
		text string
	}{{corev1.ReadWriteOnce, "RWO"}, {corev1.ReadOnlyMany, "ROX"}, {corev1.ReadWriteMany, "RWX"}, {corev1.ReadWriteOncePod, "RWOP"}} {
		for _, mode := range modes {
			if mode == known.mode {
				texts = append(texts, known.text)
				break
			}
		}
	}
	return strings.Join(texts, ",")
}

func orUnset[T ~string](value *T) string {
	if value == nil {
		return "<unset>"
	}
	return string(*value)
}
