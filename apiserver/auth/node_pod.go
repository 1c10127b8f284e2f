package auth

import (
	corev1 "k8s.io/api/core/v1"
)

// podUses says whether a pod names an object of its namespace, so that its node needs it. It covers every field of a pod
// that can; a test walks the Go type and fails when the API gains one.
func podUses(pod *corev1.Pod, resource, name string) bool {
	switch resource {
	case "pods":
		return pod.Name == name
	case "serviceaccounts":
		return pod.Spec.ServiceAccountName == name
	case "secrets":
		return podUsesSecret(pod, name)
	case "configmaps":
		return podUsesConfigMap(pod, name)
	case "persistentvolumeclaims":
		for _, v := range pod.Spec.Volumes {
			if v.PersistentVolumeClaim != nil && v.PersistentVolumeClaim.ClaimName == name {
				return true
			}
			if v.Ephemeral != nil && pod.Name+"-"+v.Name == name {
				return true
			}
		}
	}
	return false
}

func podUsesSecret(pod *corev1.Pod, name string) bool {
	for _, ref := range pod.Spec.ImagePullSecrets {
		if ref.Name == name {
			return true
		}
	}
	for i := range pod.Spec.Volumes {
		if volumeUsesSecret(&pod.Spec.Volumes[i].VolumeSource, name) {
			return true
		}
	}
	return anyEnvironment(pod, func(from []corev1.EnvFromSource, env []corev1.EnvVar) bool {
		for _, f := range from {
			if f.SecretRef != nil && f.SecretRef.Name == name {
				return true
			}
		}
		for _, e := range env {
			if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil && e.ValueFrom.SecretKeyRef.Name == name {
				return true
			}
		}
		return false
	})
}

func volumeUsesSecret(v *corev1.VolumeSource, name string) bool {
	if v.Projected != nil {
		for _, s := range v.Projected.Sources {
			if s.Secret != nil && s.Secret.Name == name {
				return true
			}
		}
	}
	if v.AzureFile != nil && v.AzureFile.SecretName == name {
		return true
	}
	for _, ref := range []*corev1.LocalObjectReference{
		refOf(v.CephFS, func(s *corev1.CephFSVolumeSource) *corev1.LocalObjectReference { return s.SecretRef }),
		refOf(v.Cinder, func(s *corev1.CinderVolumeSource) *corev1.LocalObjectReference { return s.SecretRef }),
		refOf(v.FlexVolume, func(s *corev1.FlexVolumeSource) *corev1.LocalObjectReference { return s.SecretRef }),
		refOf(v.RBD, func(s *corev1.RBDVolumeSource) *corev1.LocalObjectReference { return s.SecretRef }),
		refOf(v.ScaleIO, func(s *corev1.ScaleIOVolumeSource) *corev1.LocalObjectReference { return s.SecretRef }),
		refOf(v.ISCSI, func(s *corev1.ISCSIVolumeSource) *corev1.LocalObjectReference { return s.SecretRef }),
		refOf(v.StorageOS, func(s *corev1.StorageOSVolumeSource) *corev1.LocalObjectReference { return s.SecretRef }),
		refOf(v.CSI, func(s *corev1.CSIVolumeSource) *corev1.LocalObjectReference { return s.NodePublishSecretRef }),
	} {
		if ref != nil && ref.Name == name {
			return true
		}
	}
	return v.Secret != nil && v.Secret.SecretName == name
}

func refOf[S any](source *S, of func(*S) *corev1.LocalObjectReference) *corev1.LocalObjectReference {
	if source == nil {
		return nil
	}
	return of(source)
}

func podUsesConfigMap(pod *corev1.Pod, name string) bool {
	for _, v := range pod.Spec.Volumes {
		if v.ConfigMap != nil && v.ConfigMap.Name == name {
			return true
		}
		if v.Projected == nil {
			continue
		}
		for _, s := range v.Projected.Sources {
			if s.ConfigMap != nil && s.ConfigMap.Name == name {
				return true
			}
		}
	}
	return anyEnvironment(pod, func(from []corev1.EnvFromSource, env []corev1.EnvVar) bool {
		for _, f := range from {
			if f.ConfigMapRef != nil && f.ConfigMapRef.Name == name {
				return true
			}
		}
		for _, e := range env {
			if e.ValueFrom != nil && e.ValueFrom.ConfigMapKeyRef != nil && e.ValueFrom.ConfigMapKeyRef.Name == name {
				return true
			}
		}
		return false
	})
}

// anyEnvironment asks f about the environment of each container of each of the three lists.
func anyEnvironment(pod *corev1.Pod, f func([]corev1.EnvFromSource, []corev1.EnvVar) bool) bool {
	for i := range pod.Spec.InitContainers {
		if f(pod.Spec.InitContainers[i].EnvFrom, pod.Spec.InitContainers[i].Env) {
			return true
		}
	}
	for i := range pod.Spec.Containers {
		if f(pod.Spec.Containers[i].EnvFrom, pod.Spec.Containers[i].Env) {
			return true
		}
	}
	for i := range pod.Spec.EphemeralContainers {
		if f(pod.Spec.EphemeralContainers[i].EnvFrom, pod.Spec.EphemeralContainers[i].Env) {
			return true
		}
	}
	return false
}
