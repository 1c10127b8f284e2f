package podspec

import (
	corev1 "k8s.io/api/core/v1"
	resourcehelper "k8s.io/component-helpers/resource"

	"proa/kinds/meta"
)

// defaultPodLevelResources completes spec.resources when a client gave a part of it (KEP-2837).
func defaultPodLevelResources(pod *corev1.Pod) {
	r := pod.Spec.Resources
	if r == nil {
		return
	}
	if len(r.Limits)+len(r.Requests) > 0 {
		defaultHugePageLimits(pod, r)
	}
	if len(r.Limits) > 0 {
		defaultPodRequests(pod, r)
	}
}

// defaultHugePageLimits: huge pages that containers limit are limited for the pod too, unless it requests them itself.
func defaultHugePageLimits(pod *corev1.Pod, r *corev1.ResourceRequirements) {
	for name, limit := range resourcehelper.AggregateContainerLimits(pod, resourcehelper.PodResourcesOptions{}) {
		if !resourcehelper.IsSupportedPodLevelResource(name) || !meta.IsHugePages(name) {
			continue
		}
		if _, requested := r.Requests[name]; requested {
			continue
		}
		if _, limited := r.Limits[name]; !limited {
			if r.Limits == nil {
				r.Limits = corev1.ResourceList{}
			}
			r.Limits[name] = limit.DeepCopy()
		}
	}
}

// defaultPodRequests: the pod requests what its containers request together, else what it is limited to.
func defaultPodRequests(pod *corev1.Pod, r *corev1.ResourceRequirements) {
	requests := r.Requests
	if requests == nil {
		requests = corev1.ResourceList{}
	}
	for name, request := range resourcehelper.AggregateContainerRequests(pod, resourcehelper.PodResourcesOptions{}) {
		if _, set := requests[name]; !set && resourcehelper.IsSupportedPodLevelResource(name) && meta.MayOvercommit(name) {
			requests[name] = request.DeepCopy()
		}
	}
	for name, limit := range r.Limits {
		if _, set := requests[name]; !set && resourcehelper.IsSupportedPodLevelResource(name) {
			requests[name] = limit.DeepCopy()
		}
	}
	if len(requests) > 0 {
		r.Requests = requests
	}
}
