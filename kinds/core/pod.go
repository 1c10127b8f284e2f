package core

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/podspec"
	"proa/kinds/resource"
)

// Pod is the row of pods.
func Pod() *resource.Resource {
	return &resource.Resource{
		Version: "v1", Name: "pods", Singular: "pod", Kind: "Pod", ShortNames: []string{"po"}, Categories: []string{"all"},
		Namespaced: true,
		New:        func() resource.Object { return &corev1.Pod{} },
		NewList:    func() runtime.Object { return &corev1.PodList{} },

		Default:        resource.Do(podspec.DefaultPod),
		PrepareCreate:  resource.Do(preparePodCreate),
		PrepareUpdate:  resource.Do2(preparePodUpdate),
		Validate:       resource.Typed(podspec.ValidatePod),
		ValidateUpdate: resource.Typed2(podspec.ValidatePodUpdate),
		NameLast:       true,
		Warnings:       podWarnings,
		GracePeriod:    podGracePeriod,

		AllowUnconditionalUpdate: true,
		Reset:                    map[string][]string{"status": {"metadata.deletionTimestamp", "metadata.ownerReferences", "spec"}},
		Status: &resource.Subresource{
			Name: "status", Verbs: []string{"get", "patch", "update"},
			PrepareUpdate: resource.Do2(preparePodStatus), ValidateUpdate: resource.Typed2(podspec.ValidatePodStatusUpdate),
			Warnings: podStatusWarnings,
		},
		Subresources: []resource.Subresource{
			{
				Name: "ephemeralcontainers", NoTables: true, ChecksName: true, Verbs: []string{"get", "patch", "update"},
				PrepareUpdate: resource.Do2(preparePodEphemeralContainers), ValidateUpdate: resource.Typed2(podspec.ValidateEphemeralContainersUpdate),
			},
			{
				Name: "resize", NoTables: true, ChecksName: true, Verbs: []string{"get", "patch", "update"},
				PrepareUpdate: resource.Do2(preparePodResize), ValidateUpdate: resource.Typed2(podspec.ValidatePodResize),
			},
		},
		Columns:     podColumns(),
		Row:         resource.Typed(podRow),
		Fields:      resource.Typed(podFields),
		FieldLabels: podFieldLabels(),
	}
}

func podStatusWarnings(obj, _ resource.Object) []string {
	status, path := &obj.(*corev1.Pod).Status, field.NewPath("status")
	var list []string
	for i, ip := range status.PodIPs {
		list = append(list, meta.IPWarnings(path.Child("podIPs").Index(i).Child("ip"), ip.IP)...)
	}
	for i, ip := range status.HostIPs {
		list = append(list, meta.IPWarnings(path.Child("hostIPs").Index(i).Child("ip"), ip.IP)...)
	}
	return list
}

// podWarnings speaks of new pods only: pods are changed by machines, which read no warnings.
func podWarnings(obj, old resource.Object) []string {
	if old != nil {
		return nil
	}
	return podspec.PodWarnings(obj.(*corev1.Pod))
}

func podFields(pod *corev1.Pod) fields.Set {
	podIP := ""
	if len(pod.Status.PodIPs) > 0 {
		podIP = pod.Status.PodIPs[0].IP
	}
	return fields.Set{
		"spec.nodeName":            pod.Spec.NodeName,
		"spec.restartPolicy":       string(pod.Spec.RestartPolicy),
		"spec.schedulerName":       pod.Spec.SchedulerName,
		"spec.serviceAccountName":  pod.Spec.ServiceAccountName,
		"spec.hostNetwork":         strconv.FormatBool(pod.Spec.HostNetwork),
		"status.phase":             string(pod.Status.Phase),
		"status.podIP":             podIP,
		"status.podIPs":            podIP,
		"status.nominatedNodeName": pod.Status.NominatedNodeName,
	}
}

func podFieldLabels() []string {
	return []string{
		"spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
		"status.phase", "status.podIP", "status.podIPs", "status.nominatedNodeName",
	}
}

// podGracePeriod: a pod that is on a node and has not ended gets the time that the client asks for, or its own; any
// other pod goes at once. A deletion under way can only be made shorter.
func podGracePeriod(obj resource.Object, opts *metav1.DeleteOptions) {
	pod := obj.(*corev1.Pod)
	period := int64(0)
	switch underWay := pod.DeletionGracePeriodSeconds; {
	case pod.DeletionTimestamp != nil && underWay != nil:
		period = *underWay
		if opts.GracePeriodSeconds != nil {
			period = min(period, atLeastOne(*opts.GracePeriodSeconds))
		}
	case pod.Spec.NodeName == "" || podspec.IsTerminal(pod):
	case opts.GracePeriodSeconds != nil:
		period = atLeastOne(*opts.GracePeriodSeconds)
	case pod.Spec.TerminationGracePeriodSeconds != nil:
		period = atLeastOne(*pod.Spec.TerminationGracePeriodSeconds)
	}
	opts.GracePeriodSeconds = &period
}

// atLeastOne reads a negative period as one second, as upstream does; zero stays zero.
func atLeastOne(period int64) int64 {
	if period < 0 {
		return 1
	}
	return period
}
