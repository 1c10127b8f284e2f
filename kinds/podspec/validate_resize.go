package podspec

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// ValidatePodResize says what is wrong with a changed pod whose resources are to change in place (KEP-1287): only cpu
// and memory may, none may go away, and the class of service stays.
func ValidatePodResize(pod, old *corev1.Pod) field.ErrorList {
	if _, mirror := old.Annotations[corev1.MirrorPodAnnotationKey]; mirror {
		return field.ErrorList{field.Forbidden(field.NewPath(""), "static pods cannot be resized")}
	}
	if old.Spec.OS != nil && old.Spec.OS.Name == corev1.Windows {
		return field.ErrorList{field.Forbidden(field.NewPath(""), "windows pods cannot be resized")}
	}
	c := checkPod(pod)
	path := field.NewPath("spec")
	if QOSClass(old) != computeQOS(&pod.Spec) {
		c.invalid(path, pod.Status.QOSClass, "Pod QOS Class may not change as a result of resizing")
	}
	c.forbidIf(!nodeCanResize(old), path, "Pod running on node without support for resize")
	rest := pod.Spec.DeepCopy()
	c.checkPodLevelResize(path, rest, &old.Spec)
	same := c.checkSameNames(path.Child("containers"), "containers", pod.Spec.Containers, old.Spec.Containers)
	if !c.checkSameNames(path.Child("initContainers"), "initContainers", pod.Spec.InitContainers, old.Spec.InitContainers) || !same {
		return c.errs
	}
	c.checkNothingRemoved(path.Child("initContainers"), pod.Spec.InitContainers, old.Spec.InitContainers)
	c.checkNothingRemoved(path.Child("containers"), pod.Spec.Containers, old.Spec.Containers)
	for i := range rest.Containers {
		keepCompute(&rest.Containers[i].Resources, &old.Spec.Containers[i].Resources)
		c.forbidIf(!equality.Semantic.DeepEqual(rest.Containers[i], old.Spec.Containers[i]), path, "only cpu and memory resources are mutable")
	}
	for i := range rest.InitContainers {
		c.checkInitResize(path.Child("initContainers").Index(i), &rest.InitContainers[i], &old.Spec.InitContainers[i])
	}
	c.forbidIf(len(c.errs) == 0 && !equality.Semantic.DeepEqual(*rest, old.Spec), path, "only cpu and memory resources are mutable")
	return c.errs
}

// nodeCanResize: a node that can resize reports what each running container has.
func nodeCanResize(pod *corev1.Pod) bool {
	for _, s := range pod.Status.ContainerStatuses {
		if s.State.Running != nil {
			return s.Resources != nil
		}
	}
	return true
}

func (c *checker) checkSameNames(path *field.Path, what string, containers, old []corev1.Container) bool {
	if len(containers) != len(old) {
		c.forbidden(path, what+" may not be added or removed on resize")
		return false
	}
	same := true
	for i := range containers {
		if containers[i].Name != old[i].Name {
			c.forbidden(path.Index(i).Child("name"), what+" may not be renamed or reordered on resize")
			same = false
		}
	}
	return same
}

func (c *checker) checkNothingRemoved(path *field.Path, containers, old []corev1.Container) {
	for i := range containers {
		now, before, at := containers[i].Resources, old[i].Resources, path.Index(i).Child("resources")
		c.forbidIf(removed(now.Requests, before.Requests), at.Child("requests"), "resource requests cannot be removed")
		c.forbidIf(removed(now.Limits, before.Limits), at.Child("limits"), "resource limits cannot be removed")
	}
}

func removed(list, old corev1.ResourceList) bool {
	for name := range old {
		if _, ok := list[name]; !ok {
			return true
		}
	}
	return false
}

func (c *checker) checkInitResize(path *field.Path, rest, old *corev1.Container) {
	changed := !equality.Semantic.DeepEqual(*rest, *old)
	keepCompute(&rest.Resources, &old.Resources)
	c.forbidIf(!equality.Semantic.DeepEqual(*rest, *old), path, "only cpu and memory resources for init or sidecar containers are mutable")
	if !changed || IsSidecar(rest) {
		return
	}
	for _, policy := range rest.ResizePolicy {
		c.forbidIf(policy.RestartPolicy == corev1.RestartContainer, path, "non-sidecar init containers with a resize policy of RestartContainer cannot be resized")
	}
}

// checkPodLevelResize is about the resources of the pod as a whole (KEP-5419). It takes allowed changes back in rest.
func (c *checker) checkPodLevelResize(path *field.Path, rest, old *corev1.PodSpec) {
	switch {
	case rest.Resources == nil && old.Resources == nil:
		return
	case rest.Resources == nil:
		c.forbidden(path.Child("resources"), "pod-level resources cannot be removed")
		return
	}
	before := &corev1.ResourceRequirements{}
	if old.Resources != nil {
		before = old.Resources
		at := path.Child("resources")
		c.forbidIf(removed(rest.Resources.Requests, before.Requests), at.Child("requests"), "pod-level resource requests cannot be removed")
		c.forbidIf(removed(rest.Resources.Limits, before.Limits), at.Child("limits"), "pod-level resource limits cannot be removed")
	}
	keepCompute(rest.Resources, before)
	if r := rest.Resources; old.Resources == nil && len(r.Requests)+len(r.Limits)+len(r.Claims) == 0 {
		rest.Resources = nil
	}
	c.forbidIf(!equality.Semantic.DeepEqual(rest.Resources, old.Resources), path, "only cpu and memory resources are mutable at pod-level")
}

// keepCompute takes changes of cpu and memory back. Claims stay in the comparison, other than upstream, which lets a resize
// add claims, and refuses every resize of a container that has some.
func keepCompute(r, old *corev1.ResourceRequirements) {
	r.Requests = withCompute(r.Requests, old.Requests)
	r.Limits = withCompute(r.Limits, old.Limits)
}

func withCompute(list, old corev1.ResourceList) corev1.ResourceList {
	if list == nil && old == nil {
		return nil
	}
	kept := corev1.ResourceList{}
	for name, quantity := range list {
		kept[name] = quantity
	}
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		delete(kept, name)
		if quantity, ok := old[name]; ok {
			kept[name] = quantity
		}
	}
	return kept
}
