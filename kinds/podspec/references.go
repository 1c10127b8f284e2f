package podspec

import (
	"iter"

	corev1 "k8s.io/api/core/v1"
)

// ReferenceKind says what a pod refers to by name, in its own namespace.
type ReferenceKind uint8

// The kinds of objects that a pod refers to. A node may read these, and only these, for the pods that it runs.
const (
	Secret ReferenceKind = iota + 1
	ConfigMap
	PersistentVolumeClaim
	ServiceAccount
	ResourceClaim
	ResourceClaimTemplate
)

// Reference is one object that a pod refers to, by name in the pod's namespace.
type Reference struct {
	Kind ReferenceKind
	Name string
	// Optional: the pod starts without it.
	Optional bool
}

// References yields everything that a pod refers to in its namespace: of every container list, volume, pull secret.
// An object may come more than once. A test walks the API's types and fails when they gain a reference that is not here.
func References(pod *corev1.Pod) iter.Seq[Reference] {
	return func(yield func(Reference) bool) {
		v := referenceVisitor{yield: yield}
		v.visitSpec(&pod.Spec)
		for i := range pod.Spec.Volumes {
			volume := &pod.Spec.Volumes[i]
			v.visitVolume(&volume.VolumeSource)
			if volume.Ephemeral != nil {
				v.emit(PersistentVolumeClaim, pod.Name+"-"+volume.Name, false)
			}
		}
		v.visitStatus(&pod.Status)
	}
}

// Refers says whether a pod refers to an object of its namespace.
func Refers(pod *corev1.Pod, kind ReferenceKind, name string) bool {
	for r := range References(pod) {
		if r.Kind == kind && r.Name == name {
			return true
		}
	}
	return false
}

// referenceVisitor stops yielding after the first refusal.
type referenceVisitor struct {
	yield   func(Reference) bool
	stopped bool
}

func (v *referenceVisitor) emit(kind ReferenceKind, name string, optional bool) {
	if name != "" && !v.stopped {
		v.stopped = !v.yield(Reference{kind, name, optional})
	}
}

func (v *referenceVisitor) secret(name string, optional *bool) {
	v.emit(Secret, name, optional != nil && *optional)
}

func (v *referenceVisitor) configMap(name string, optional *bool) {
	v.emit(ConfigMap, name, optional != nil && *optional)
}

func (v *referenceVisitor) localSecret(ref *corev1.LocalObjectReference) {
	if ref != nil {
		v.emit(Secret, ref.Name, false)
	}
}

func (v *referenceVisitor) visitSpec(spec *corev1.PodSpec) {
	v.emit(ServiceAccount, spec.ServiceAccountName, false)
	for i := range spec.ImagePullSecrets {
		v.localSecret(&spec.ImagePullSecrets[i])
	}
	for i := range spec.ResourceClaims {
		if name := spec.ResourceClaims[i].ResourceClaimName; name != nil {
			v.emit(ResourceClaim, *name, false)
		}
		if name := spec.ResourceClaims[i].ResourceClaimTemplateName; name != nil {
			v.emit(ResourceClaimTemplate, *name, false)
		}
	}
	for c := range Containers(spec) {
		v.visitContainer(c)
	}
}

func (v *referenceVisitor) visitContainer(c *corev1.Container) {
	for i := range c.EnvFrom {
		if ref := c.EnvFrom[i].SecretRef; ref != nil {
			v.secret(ref.Name, ref.Optional)
		}
		if ref := c.EnvFrom[i].ConfigMapRef; ref != nil {
			v.configMap(ref.Name, ref.Optional)
		}
	}
	for i := range c.Env {
		from := c.Env[i].ValueFrom
		if from == nil {
			continue
		}
		if ref := from.SecretKeyRef; ref != nil {
			v.secret(ref.Name, ref.Optional)
		}
		if ref := from.ConfigMapKeyRef; ref != nil {
			v.configMap(ref.Name, ref.Optional)
		}
	}
}

func (v *referenceVisitor) visitVolume(s *corev1.VolumeSource) {
	if s.Secret != nil {
		v.secret(s.Secret.SecretName, s.Secret.Optional)
	}
	if s.ConfigMap != nil {
		v.configMap(s.ConfigMap.Name, s.ConfigMap.Optional)
	}
	if s.Projected != nil {
		for i := range s.Projected.Sources {
			if ref := s.Projected.Sources[i].Secret; ref != nil {
				v.secret(ref.Name, ref.Optional)
			}
			if ref := s.Projected.Sources[i].ConfigMap; ref != nil {
				v.configMap(ref.Name, ref.Optional)
			}
		}
	}
	if s.PersistentVolumeClaim != nil {
		v.emit(PersistentVolumeClaim, s.PersistentVolumeClaim.ClaimName, false)
	}
	v.visitRemoteVolume(s)
}

// visitRemoteVolume finds the secrets with which nodes would mount the volumes of vendors.
func (v *referenceVisitor) visitRemoteVolume(s *corev1.VolumeSource) {
	if s.AzureFile != nil {
		v.emit(Secret, s.AzureFile.SecretName, false)
	}
	if s.CephFS != nil {
		v.localSecret(s.CephFS.SecretRef)
	}
	if s.Cinder != nil {
		v.localSecret(s.Cinder.SecretRef)
	}
	if s.FlexVolume != nil {
		v.localSecret(s.FlexVolume.SecretRef)
	}
	if s.RBD != nil {
		v.localSecret(s.RBD.SecretRef)
	}
	if s.ScaleIO != nil {
		v.localSecret(s.ScaleIO.SecretRef)
	}
	if s.ISCSI != nil {
		v.localSecret(s.ISCSI.SecretRef)
	}
	if s.StorageOS != nil {
		v.localSecret(s.StorageOS.SecretRef)
	}
	if s.CSI != nil {
		v.localSecret(s.CSI.NodePublishSecretRef)
	}
}

// visitStatus finds the claims that controllers made for the pod.
func (v *referenceVisitor) visitStatus(s *corev1.PodStatus) {
	for i := range s.ResourceClaimStatuses {
		if name := s.ResourceClaimStatuses[i].ResourceClaimName; name != nil {
			v.emit(ResourceClaim, *name, false)
		}
	}
	if s.ExtendedResourceClaimStatus != nil {
		v.emit(ResourceClaim, s.ExtendedResourceClaimStatus.ResourceClaimName, false)
	}
}
