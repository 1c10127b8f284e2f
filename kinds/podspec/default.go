package podspec

import (
	corev1 "k8s.io/api/core/v1"

	"proa/kinds/meta"
)

// legacyInitAnnotations once carried init containers; upstream drops them from every pod and template.
var legacyInitAnnotations = [...]string{
	"pod.beta.kubernetes.io/init-containers",
	"pod.alpha.kubernetes.io/init-containers",
	"pod.beta.kubernetes.io/init-container-statuses",
	"pod.alpha.kubernetes.io/init-container-statuses",
}

// DefaultPod fills in what a client left out of a pod.
func DefaultPod(pod *corev1.Pod) {
	pod.Annotations = withoutLegacyInit(pod.Annotations)
	spec := &pod.Spec
	for i := range spec.Containers {
		requestsFromLimits(&spec.Containers[i].Resources)
	}
	for i := range spec.InitContainers {
		requestsFromLimits(&spec.InitContainers[i].Resources)
	}
	defaultPodLevelResources(pod)
	if spec.EnableServiceLinks == nil {
		spec.EnableServiceLinks = new(corev1.DefaultEnableServiceLinks)
	}
	if spec.HostNetwork {
		hostPortsFromContainerPorts(spec.Containers)
		hostPortsFromContainerPorts(spec.InitContainers)
	}
	if s := spec.TerminationGracePeriodSeconds; s != nil && *s < 0 {
		spec.TerminationGracePeriodSeconds = new(int64(1))
	}
	defaultSpec(spec)
	defaultStatus(&pod.Status)
}

// DefaultTemplate fills in what a client left out of a pod template. Templates get fewer defaults than pods.
func DefaultTemplate(template *corev1.PodTemplateSpec) {
	template.Annotations = withoutLegacyInit(template.Annotations)
	defaultSpec(&template.Spec)
}

func withoutLegacyInit(annotations map[string]string) map[string]string {
	for _, key := range legacyInitAnnotations {
		delete(annotations, key)
	}
	return annotations
}

func defaultSpec(spec *corev1.PodSpec) {
	if spec.DNSPolicy == "" {
		spec.DNSPolicy = corev1.DNSClusterFirst
	}
	if spec.RestartPolicy == "" {
		spec.RestartPolicy = corev1.RestartPolicyAlways
	}
	if spec.SecurityContext == nil {
		spec.SecurityContext = &corev1.PodSecurityContext{}
	}
	if spec.TerminationGracePeriodSeconds == nil {
		spec.TerminationGracePeriodSeconds = new(int64(corev1.DefaultTerminationGracePeriodSeconds))
	}
	if spec.SchedulerName == "" {
		spec.SchedulerName = corev1.DefaultSchedulerName
	}
	// serviceAccount is the old name of serviceAccountName; the new name wins when both are given.
	if spec.ServiceAccountName == "" {
		spec.ServiceAccountName = spec.DeprecatedServiceAccount
	}
	spec.DeprecatedServiceAccount = spec.ServiceAccountName
	for i := range spec.Volumes {
		defaultVolume(&spec.Volumes[i])
	}
	for i := range spec.InitContainers {
		defaultContainer(&spec.InitContainers[i])
	}
	for i := range spec.Containers {
		defaultContainer(&spec.Containers[i])
	}
	for i := range spec.EphemeralContainers {
		defaultContainer((*corev1.Container)(&spec.EphemeralContainers[i].EphemeralContainerCommon))
	}
	meta.RoundUp(spec.Overhead)
	if spec.Resources != nil {
		meta.RoundUp(spec.Resources.Limits)
		meta.RoundUp(spec.Resources.Requests)
	}
}

// defaultStatus keeps the single and the plural form of the pod's address equal: the single one wins, as old
// nodes write only that.
func defaultStatus(status *corev1.PodStatus) {
	if status.PodIP != "" && (len(status.PodIPs) == 0 || status.PodIPs[0].IP != status.PodIP) {
		status.PodIPs = []corev1.PodIP{{IP: status.PodIP}}
	}
	if len(status.PodIPs) > 0 {
		status.PodIP = status.PodIPs[0].IP
	}
	meta.RoundUp(status.AllocatedResources)
	if status.Resources != nil {
		meta.RoundUp(status.Resources.Limits)
		meta.RoundUp(status.Resources.Requests)
	}
	for _, list := range [][]corev1.ContainerStatus{status.InitContainerStatuses, status.ContainerStatuses, status.EphemeralContainerStatuses} {
		for i := range list {
			meta.RoundUp(list[i].AllocatedResources)
			if list[i].Resources != nil {
				meta.RoundUp(list[i].Resources.Limits)
				meta.RoundUp(list[i].Resources.Requests)
			}
		}
	}
}

// requestsFromLimits: a resource with a limit and no request requests its limit.
func requestsFromLimits(resources *corev1.ResourceRequirements) {
	if resources.Limits == nil {
		return
	}
	if resources.Requests == nil {
		resources.Requests = corev1.ResourceList{}
	}
	for name, limit := range resources.Limits {
		if _, set := resources.Requests[name]; !set {
			resources.Requests[name] = limit.DeepCopy()
		}
	}
}

func hostPortsFromContainerPorts(containers []corev1.Container) {
	for i := range containers {
		for j := range containers[i].Ports {
			if port := &containers[i].Ports[j]; port.HostPort == 0 {
				port.HostPort = port.ContainerPort
			}
		}
	}
}
