package podspec

import (
	corev1 "k8s.io/api/core/v1"
)

// QOSClass is the quality of service class of a pod: the stored one, else what its resources make of it.
func QOSClass(pod *corev1.Pod) corev1.PodQOSClass {
	if pod.Status.QOSClass != "" {
		return pod.Status.QOSClass
	}
	return computeQOS(&pod.Spec)
}

// computeQOS: BestEffort without any cpu or memory named, Guaranteed when every container limits both and requests
// what it limits, else Burstable. Resources of the pod itself replace those of its containers (KEP-2837).
func computeQOS(spec *corev1.PodSpec) corev1.PodQOSClass {
	requests, limits := corev1.ResourceList{}, corev1.ResourceList{}
	guaranteed := true
	if spec.Resources != nil {
		addCompute(requests, spec.Resources.Requests)
		if n := addCompute(limits, spec.Resources.Limits); len(spec.Resources.Limits) > 0 && n < 2 {
			guaranteed = false
		}
	} else {
		for _, list := range [][]corev1.Container{spec.Containers, spec.InitContainers} {
			for i := range list {
				addCompute(requests, list[i].Resources.Requests)
				if addCompute(limits, list[i].Resources.Limits) < 2 {
					guaranteed = false
				}
			}
		}
	}
	switch {
	case len(requests) == 0 && len(limits) == 0:
		return corev1.PodQOSBestEffort
	case guaranteed && equalQuantities(requests, limits):
		return corev1.PodQOSGuaranteed
	}
	return corev1.PodQOSBurstable
}

// addCompute adds the cpu and memory of list to sum and counts how many of the two are above zero.
func addCompute(sum, list corev1.ResourceList) (named int) {
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		quantity, ok := list[name]
		if !ok || quantity.Sign() <= 0 {
			continue
		}
		named++
		total := quantity.DeepCopy()
		total.Add(sum[name])
		sum[name] = total
	}
	return named
}

func equalQuantities(a, b corev1.ResourceList) bool {
	if len(a) != len(b) {
		return false
	}
	for name, quantity := range a {
		other, ok := b[name]
		if !ok || quantity.Cmp(other) != 0 {
			return false
		}
	}
	return true
}
