package core

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/kinds/podspec"
)

func preparePodCreate(pod *corev1.Pod) {
	pod.Generation = 1
	pod.Status = corev1.PodStatus{Phase: corev1.PodPending, QOSClass: pod.Status.QOSClass} // a class that is claimed stays, as upstream's
	podspec.DropDisabled(&pod.Spec)
	pod.Status.QOSClass = podspec.QOSClass(pod)
	if len(pod.Spec.SchedulingGates) > 0 {
		pod.Status.Conditions = []corev1.PodCondition{{
			Type:               corev1.PodScheduled,
			Status:             corev1.ConditionFalse,
			Reason:             corev1.PodReasonSchedulingGated,
			Message:            "Scheduling is blocked due to non-empty scheduling gates",
			LastTransitionTime: pod.CreationTimestamp,
		}}
	}
	podspec.MergeLabelKeys(pod)
	podspec.SyncAppArmor(pod)
}

func preparePodUpdate(pod, old *corev1.Pod) {
	pod.Status = old.Status // shared: what is validated now is not changed any more
	podspec.DropDisabled(&pod.Spec)
	countPodGeneration(pod, old)
}

// preparePodStatus keeps what a node's report may not change: the spec, the owners (old nodes garble them), the start
// of a deletion, and generations that the report leaves out.
func preparePodStatus(pod, old *corev1.Pod) {
	pod.Spec = old.Spec // shared: every version of a pod has the same
	pod.Generation = old.Generation
	pod.DeletionTimestamp = old.DeletionTimestamp.DeepCopy()
	pod.OwnerReferences = old.OwnerReferences
	if pod.Status.QOSClass == "" {
		pod.Status.QOSClass = old.Status.QOSClass
	}
	if pod.Status.ObservedGeneration == 0 {
		pod.Status.ObservedGeneration = old.Status.ObservedGeneration
	}
	keepObservedGenerations(pod.Status.Conditions, old.Status.Conditions)
	dropDisabledStatus(&pod.Status, &old.Status)
}

// dropDisabledStatus drops what is beta and off by default: what a node gives a claim, and the digest of a mounted image.
func dropDisabledStatus(s, old *corev1.PodStatus) {
	if len(old.NodeAllocatableResourceClaimStatuses) == 0 {
		s.NodeAllocatableResourceClaimStatuses = nil
	}
	for _, list := range [][]corev1.ContainerStatus{s.ContainerStatuses, s.InitContainerStatuses, s.EphemeralContainerStatuses} {
		for i := range list {
			for j := range list[i].VolumeMounts {
				list[i].VolumeMounts[j].VolumeStatus = nil
			}
		}
	}
}

// keepObservedGenerations matches conditions by type; several of one type are matched in order.
func keepObservedGenerations(conditions, old []corev1.PodCondition) {
	known := map[corev1.PodConditionType][]int64{}
	for _, c := range old {
		known[c.Type] = append(known[c.Type], c.ObservedGeneration)
	}
	for i := range conditions {
		c := &conditions[i]
		generations := known[c.Type]
		if len(generations) == 0 {
			continue
		}
		known[c.Type] = generations[1:]
		if c.ObservedGeneration == 0 {
			c.ObservedGeneration = generations[0]
		}
	}
}

func preparePodEphemeralContainers(pod, old *corev1.Pod) {
	containers := pod.Spec.EphemeralContainers
	pod.Spec = *old.Spec.DeepCopy()
	pod.Spec.EphemeralContainers = containers
	pod.Status = *old.Status.DeepCopy()
	keepPodMeta(pod, old)
	podspec.DropDisabled(&pod.Spec)
	countPodGeneration(pod, old)
}

// preparePodResize keeps all but resources and resize policies. When containers were added, removed, renamed or
// reordered, it keeps nothing: validation then says what is wrong.
func preparePodResize(pod, old *corev1.Pod) {
	if len(pod.Spec.Containers) == len(old.Spec.Containers) && len(pod.Spec.InitContainers) == len(old.Spec.InitContainers) {
		spec := old.Spec.DeepCopy()
		spec.Containers = withResources(spec.Containers, pod.Spec.Containers)
		spec.InitContainers = withResources(spec.InitContainers, pod.Spec.InitContainers)
		spec.Resources = pod.Spec.Resources
		pod.Spec = *spec
		pod.Status = *old.Status.DeepCopy()
		keepPodMeta(pod, old)
	}
	podspec.DropDisabled(&pod.Spec)
	countPodGeneration(pod, old)
}

// withResources returns kept with the resources of wanted, or wanted itself when the names differ.
func withResources(kept, wanted []corev1.Container) []corev1.Container {
	for i := range wanted {
		if wanted[i].Name != kept[i].Name {
			return wanted
		}
		kept[i].Resources = wanted[i].Resources
		kept[i].ResizePolicy = wanted[i].ResizePolicy
	}
	return kept
}

// keepPodMeta leaves only resourceVersion and managedFields of the metadata to the client.
func keepPodMeta(pod, old *corev1.Pod) {
	metav1.ResetObjectMetaForStatus(&pod.ObjectMeta, old.DeepCopy())
}

func countPodGeneration(pod, old *corev1.Pod) {
	pod.Generation = old.Generation
	if !podspec.SameSpec(&pod.Spec, &old.Spec) {
		pod.Generation++
	}
}
