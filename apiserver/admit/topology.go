package admit

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// topologyLabels tell a pod where its node is (KEP-4742).
func topologyLabels(_ context.Context, a *Attributes) error {
	if a.Resource.Table() != "pods" {
		return nil
	}
	var node string
	var to metav1.Object
	switch a.Subresource {
	case "":
		pod, ok := a.Object.(*corev1.Pod)
		if !ok || a.Operation != Create {
			return nil
		}
		node, to = pod.Spec.NodeName, pod
	case "binding":
		if a.Body == nil {
			return nil
		}
		binding, ok := a.Body.Object.(*corev1.Binding)
		if !ok || binding.Target.Kind != "Node" {
			return nil
		}
		node, to = binding.Target.Name, binding
	}
	from, ok := lookup[*corev1.Node](a, "nodes", "", node)
	if node == "" || !ok {
		return nil
	}
	for _, label := range []string{corev1.LabelTopologyZone, corev1.LabelTopologyRegion} {
		value, ok := from.Labels[label]
		if !ok {
			continue
		}
		labels := to.GetLabels()
		if labels == nil {
			labels = map[string]string{}
		}
		labels[label] = value
		to.SetLabels(labels)
	}
	return nil
}
