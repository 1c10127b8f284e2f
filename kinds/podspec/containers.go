package podspec

import (
	"iter"

	corev1 "k8s.io/api/core/v1"
)

// ContainerType says in which list of a pod a container stands.
type ContainerType uint8

// The lists of containers.
const (
	InitContainer ContainerType = iota + 1
	RegularContainer
	EphemeralContainer
)

// Containers yields every container of a pod, of all lists: init, regular, ephemeral. The containers belong to spec.
// An ephemeral container is seen as an ordinary one; its target is only in spec.ephemeralContainers.
func Containers(spec *corev1.PodSpec) iter.Seq2[*corev1.Container, ContainerType] {
	return func(yield func(*corev1.Container, ContainerType) bool) {
		for i := range spec.InitContainers {
			if !yield(&spec.InitContainers[i], InitContainer) {
				return
			}
		}
		for i := range spec.Containers {
			if !yield(&spec.Containers[i], RegularContainer) {
				return
			}
		}
		for i := range spec.EphemeralContainers {
			if !yield((*corev1.Container)(&spec.EphemeralContainers[i].EphemeralContainerCommon), EphemeralContainer) {
				return
			}
		}
	}
}

// FindContainer returns the container of a name in any list, or nil and 0.
func FindContainer(spec *corev1.PodSpec, name string) (*corev1.Container, ContainerType) {
	for c, kind := range Containers(spec) {
		if c.Name == name {
			return c, kind
		}
	}
	return nil, 0
}

// ContainerStatus returns the status of the container of a name in any list, or nil.
func ContainerStatus(status *corev1.PodStatus, name string) *corev1.ContainerStatus {
	for _, list := range [][]corev1.ContainerStatus{status.InitContainerStatuses, status.ContainerStatuses, status.EphemeralContainerStatuses} {
		for i := range list {
			if list[i].Name == name {
				return &list[i]
			}
		}
	}
	return nil
}

// IsSidecar: an init container that keeps running beside the regular ones (KEP-753).
func IsSidecar(c *corev1.Container) bool {
	return c != nil && c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
}
