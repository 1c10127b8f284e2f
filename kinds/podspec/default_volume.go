package podspec

import (
	"reflect"

	corev1 "k8s.io/api/core/v1"

	"proa/kinds/meta"
)

func defaultVolume(v *corev1.Volume) {
	if !hasVolumeSource(&v.VolumeSource) {
		v.EmptyDir = &corev1.EmptyDirVolumeSource{}
	}
	if s := v.Image; s != nil && s.PullPolicy == "" {
		s.PullPolicy = pullPolicyOf(s.Reference)
	}
	if s := v.HostPath; s != nil && s.Type == nil {
		s.Type = new(corev1.HostPathUnset)
	}
	if s := v.Secret; s != nil && s.DefaultMode == nil {
		s.DefaultMode = new(corev1.SecretVolumeSourceDefaultMode)
	}
	if s := v.ConfigMap; s != nil && s.DefaultMode == nil {
		s.DefaultMode = new(corev1.ConfigMapVolumeSourceDefaultMode)
	}
	if s := v.DownwardAPI; s != nil {
		if s.DefaultMode == nil {
			s.DefaultMode = new(corev1.DownwardAPIVolumeSourceDefaultMode)
		}
		defaultDownwardItems(s.Items)
	}
	defaultProjected(v.Projected)
	if s := v.Ephemeral; s != nil && s.VolumeClaimTemplate != nil {
		DefaultClaimSpec(&s.VolumeClaimTemplate.Spec)
	}
	defaultRemoteVolume(&v.VolumeSource)
}

// hasVolumeSource asks for the common sources first: reflection over all of them is slow.
func hasVolumeSource(source *corev1.VolumeSource) bool {
	if source.EmptyDir != nil || source.ConfigMap != nil || source.Secret != nil || source.Projected != nil {
		return true
	}
	v := reflect.ValueOf(source).Elem()
	for i := range v.NumField() {
		if !v.Field(i).IsNil() {
			return true
		}
	}
	return false
}

// DefaultClaimSpec fills in what a client left out of a persistent volume claim.
func DefaultClaimSpec(spec *corev1.PersistentVolumeClaimSpec) {
	if spec.VolumeMode == nil {
		spec.VolumeMode = new(corev1.PersistentVolumeFilesystem)
	}
	meta.RoundUp(spec.Resources.Limits)
	meta.RoundUp(spec.Resources.Requests)
}

func defaultProjected(s *corev1.ProjectedVolumeSource) {
	if s == nil {
		return
	}
	if s.DefaultMode == nil {
		s.DefaultMode = new(corev1.ProjectedVolumeSourceDefaultMode)
	}
	for i := range s.Sources {
		if d := s.Sources[i].DownwardAPI; d != nil {
			defaultDownwardItems(d.Items)
		}
		if t := s.Sources[i].ServiceAccountToken; t != nil && t.ExpirationSeconds == nil {
			t.ExpirationSeconds = new(int64(60 * 60))
		}
	}
}

func defaultDownwardItems(items []corev1.DownwardAPIVolumeFile) {
	for i := range items {
		defaultFieldRef(items[i].FieldRef)
	}
}

// defaultRemoteVolume covers the volume types that this system cannot mount: they are stored as upstream would.
func defaultRemoteVolume(v *corev1.VolumeSource) {
	if s := v.ISCSI; s != nil {
		setIfZero(&s.ISCSIInterface, "default")
	}
	if s := v.RBD; s != nil {
		setIfZero(&s.RBDPool, "rbd")
		setIfZero(&s.RadosUser, "admin")
		setIfZero(&s.Keyring, "/etc/ceph/keyring")
	}
	if s := v.ScaleIO; s != nil {
		setIfZero(&s.StorageMode, "ThinProvisioned")
		setIfZero(&s.FSType, "xfs")
	}
	if s := v.AzureDisk; s != nil {
		setIfNil(&s.CachingMode, corev1.AzureDataDiskCachingReadWrite)
		setIfNil(&s.FSType, "ext4")
		setIfNil(&s.ReadOnly, false)
		setIfNil(&s.Kind, corev1.AzureSharedBlobDisk)
	}
}

func setIfNil[T any](at **T, value T) {
	if *at == nil {
		*at = &value
	}
}
