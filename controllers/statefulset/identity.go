package statefulset

import (
	"maps"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"proa/reconcile/podcontrol"
)

// ordinalOf is the number at the end of a pod's name, and what stands before it; ok is false when the name is no set's.
func ordinalOf(pod *corev1.Pod) (set string, ordinal int, ok bool) {
	at := strings.LastIndexByte(pod.Name, '-')
	if at < 0 || strings.Trim(pod.Name[at+1:], "0123456789") != "" {
		return "", 0, false
	}
	n, err := strconv.ParseInt(pod.Name[at+1:], 10, 32)
	return pod.Name[:at], int(n), err == nil
}

// startOf is the first ordinal of a set.
func startOf(set *appsv1.StatefulSet) int {
	if set.Spec.Ordinals == nil {
		return 0
	}
	return int(set.Spec.Ordinals.Start)
}

func podName(set *appsv1.StatefulSet, ordinal int) string {
	return set.Name + "-" + strconv.Itoa(ordinal)
}

// claimName is the name of the claim of a template that belongs to a pod.
func claimName(set *appsv1.StatefulSet, template string, ordinal int) string {
	return template + "-" + podName(set, ordinal)
}

// newPod makes the pod of an ordinal from a template, with its identity and its claims as volumes.
func newPod(set *appsv1.StatefulSet, template *corev1.PodTemplateSpec, revision string, ordinal int) *corev1.Pod {
	pod := podcontrol.New(set, kind, template)
	pod.Name = podName(set, ordinal)
	pod.Spec.Hostname = pod.Name
	pod.Spec.Subdomain = set.Spec.ServiceName
	identify(pod, ordinal)
	pod.Labels[appsv1.StatefulSetRevisionLabel] = revision
	mount(set, pod, ordinal)
	return pod
}

// identify labels a pod with its name and ordinal.
func identify(pod *corev1.Pod, ordinal int) {
	labels := maps.Clone(pod.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[appsv1.StatefulSetPodNameLabel] = pod.Name
	labels[appsv1.PodIndexLabel] = strconv.Itoa(ordinal)
	pod.Labels = labels
}

// mount makes each claim a volume, in place of volumes of that name.
func mount(set *appsv1.StatefulSet, pod *corev1.Pod, ordinal int) {
	claimed := map[string]bool{}
	var volumes []corev1.Volume
	for _, claim := range set.Spec.VolumeClaimTemplates {
		claimed[claim.Name] = true
		source := &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claimName(set, claim.Name, ordinal)}
		volumes = append(volumes, corev1.Volume{Name: claim.Name, VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: source}})
	}
	for _, volume := range pod.Spec.Volumes {
		if !claimed[volume.Name] {
			volumes = append(volumes, volume)
		}
	}
	pod.Spec.Volumes = volumes
}

// mounted says whether every claim of the pod is among its volumes.
func mounted(set *appsv1.StatefulSet, pod *corev1.Pod, ordinal int) bool {
	source := map[string]string{}
	for _, volume := range pod.Spec.Volumes {
		if volume.PersistentVolumeClaim != nil {
			source[volume.Name] = volume.PersistentVolumeClaim.ClaimName
		}
	}
	for _, claim := range set.Spec.VolumeClaimTemplates {
		if source[claim.Name] != claimName(set, claim.Name, ordinal) {
			return false
		}
	}
	return true
}
