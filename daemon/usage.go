package daemon

import (
	"context"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"proa/client"
	"proa/kinds/resource"
	"proa/observe/usage"
)

// observed answers what is seen and not stored: the parts of the control plane, and metrics.k8s.io from what is measured.
func (c *control) observed(ctx context.Context, r *resource.Resource, namespace, name string) ([]resource.Object, error) {
	if r.Kind == "ComponentStatus" {
		return c.health.components(r, name), nil
	}
	if err := c.usage.Await(ctx); err != nil {
		return nil, err
	}
	var out []resource.Object
	if r.Kind == "NodeMetrics" {
		for node := range client.List[*v1.Node](c.as(systemUser, "system:masters").View(), "nodes", "") {
			if s, ok := c.usage.Node(node.Name); ok && (name == "" || name == node.Name) {
				out = append(out, &metricsv1beta1.NodeMetrics{
					TypeMeta: typeOf(r), ObjectMeta: metaOf(node), Timestamp: metav1.NewTime(s.At), Window: metav1.Duration{Duration: s.Window}, Usage: s.Usage,
				})
			}
		}
		return out, nil
	}
	for pod := range client.List[*v1.Pod](c.as(systemUser, "system:masters").View(), "pods", namespace) {
		if p, ok := c.usage.Pod(pod.Namespace, pod.Name); ok && (name == "" || name == pod.Name) {
			out = append(out, podMetrics(r, pod, p))
		}
	}
	return out, nil
}

func podMetrics(r *resource.Resource, pod *v1.Pod, p usage.Pod) *metricsv1beta1.PodMetrics {
	m := &metricsv1beta1.PodMetrics{TypeMeta: typeOf(r), ObjectMeta: metaOf(pod), Timestamp: metav1.NewTime(p.At), Window: metav1.Duration{Duration: p.Window}}
	for name, used := range p.Containers {
		m.Containers = append(m.Containers, metricsv1beta1.ContainerMetrics{Name: name, Usage: used})
	}
	slices.SortFunc(m.Containers, func(a, b metricsv1beta1.ContainerMetrics) int { return strings.Compare(a.Name, b.Name) })
	return m
}

func typeOf(r *resource.Resource) metav1.TypeMeta {
	gvk := r.GroupVersionKind()
	return metav1.TypeMeta{APIVersion: gvk.GroupVersion().String(), Kind: gvk.Kind}
}

func metaOf(obj client.Object) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: obj.GetNamespace(), Name: obj.GetName(), Labels: obj.GetLabels(), CreationTimestamp: metav1.Now()}
}
