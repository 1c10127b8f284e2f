package admit

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	resourcehelper "k8s.io/component-helpers/resource"
)

// checkPodResize refuses to give a running pod more than its node has: it would wait for it forever.
func checkPodResize(_ context.Context, a *Attributes) error {
	pod, ok := a.Object.(*corev1.Pod)
	if !ok || a.Operation != Update || a.Subresource != "resize" || pod.Spec.NodeName == "" || a.Old.GetGeneration() == pod.Generation {
		return nil
	}
	node, ok := lookup[*corev1.Node](a, "nodes", "", pod.Spec.NodeName)
	if !ok {
		return Forbidden(a, fmt.Errorf("node %q not found", pod.Spec.NodeName))
	}
	if system, ok := node.Labels[corev1.LabelOSStable]; ok && system != "linux" {
		return cannotResize(a, fmt.Errorf("pod resize is only supported on linux nodes, node %q is %q", node.Name, system), "UnsupportedPlatform")
	}
	requests := resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{})
	var lacks []string
	if cpu, has := requests[corev1.ResourceCPU], node.Status.Allocatable[corev1.ResourceCPU]; cpu.Cmp(has) > 0 {
		lacks = append(lacks, fmt.Sprintf("cpu, requested: %d, allocatable: %d", cpu.MilliValue(), has.MilliValue()))
	}
	if memory, has := requests[corev1.ResourceMemory], node.Status.Allocatable[corev1.ResourceMemory]; memory.Cmp(has) > 0 {
		lacks = append(lacks, fmt.Sprintf("memory, requested: %d, allocatable: %d", memory.Value(), has.Value()))
	}
	if len(lacks) > 0 {
		return cannotResize(a, fmt.Errorf("node didn't have enough allocatable resources: %s", strings.Join(lacks, "; ")), "NodeCapacity")
	}
	return nil
}

func cannotResize(a *Attributes, err error, cause metav1.CauseType) error {
	refusal := Forbidden(a, err)
	refusal.ErrStatus.Details.Causes = append(refusal.ErrStatus.Details.Causes, metav1.StatusCause{Type: cause})
	return refusal
}
