package podspec

import (
	corev1 "k8s.io/api/core/v1"
	resourcehelper "k8s.io/component-helpers/resource"
)

// Requests is what a pod reserves on a node: the larger of what its containers and sidecars need together and what any
// init container needs while it runs, or what the pod as a whole requests, plus overhead. While a resize is
// under way it is the larger of the wish and what the node has granted. The result is the caller's.
func Requests(pod *corev1.Pod) corev1.ResourceList {
	return resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{UseStatusResources: true})
}

// Limits is what a pod may use at most, computed as Requests is. A resource without a limit is absent.
func Limits(pod *corev1.Pod) corev1.ResourceList {
	return resourcehelper.PodLimits(pod, resourcehelper.PodResourcesOptions{UseStatusResources: true})
}
