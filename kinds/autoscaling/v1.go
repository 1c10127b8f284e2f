package autoscaling

import (
	"encoding/json"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"

	"proa/kinds/resource"
)

// autoscaling/v1 has one number, the CPU's. What else an autoscaler holds it shows as annotations, upstream's, so that
// nothing is lost when a client of it writes back what it read. Users wrote metrics so before v2 was there.
const (
	metricsAnnotation    = "autoscaling.alpha.kubernetes.io/metrics"
	statusesAnnotation   = "autoscaling.alpha.kubernetes.io/current-metrics"
	conditionsAnnotation = "autoscaling.alpha.kubernetes.io/conditions"
	behaviorAnnotation   = "autoscaling.alpha.kubernetes.io/behavior"
	upAnnotation         = "autoscaling.alpha.kubernetes.io/scale-up-tolerance"
	downAnnotation       = "autoscaling.alpha.kubernetes.io/scale-down-tolerance"
)

func fromV1(obj resource.Object) (resource.Object, error) {
	from := obj.(*autoscalingv1.HorizontalPodAutoscaler).DeepCopy()
	to := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: from.ObjectMeta}
	to.Spec.ScaleTargetRef = autoscalingv2.CrossVersionObjectReference(from.Spec.ScaleTargetRef)
	to.Spec.MinReplicas, to.Spec.MaxReplicas = from.Spec.MinReplicas, from.Spec.MaxReplicas
	to.Status.ObservedGeneration, to.Status.LastScaleTime = from.Status.ObservedGeneration, from.Status.LastScaleTime
	to.Status.CurrentReplicas, to.Status.DesiredReplicas = from.Status.CurrentReplicas, from.Status.DesiredReplicas
	if share := from.Status.CurrentCPUUtilizationPercentage; share != nil {
		to.Status.CurrentMetrics = []autoscalingv2.MetricStatus{{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricStatus{
			Name: corev1.ResourceCPU, Current: autoscalingv2.MetricValueStatus{AverageUtilization: share},
		}}}
	}
	if metrics, ok := annotated[[]autoscalingv1.MetricSpec](from, metricsAnnotation); ok {
		for i := range metrics {
			to.Spec.Metrics = append(to.Spec.Metrics, specFromV1(&metrics[i]))
		}
	}
	if share := from.Spec.TargetCPUUtilizationPercentage; share != nil {
		to.Spec.Metrics = append(to.Spec.Metrics, cpuMetric(*share))
	}
	if behavior, ok := annotated[autoscalingv2.HorizontalPodAutoscalerBehavior](from, behaviorAnnotation); ok && behavior != (autoscalingv2.HorizontalPodAutoscalerBehavior{}) {
		to.Spec.Behavior = &behavior
	}
	if statuses, ok := annotated[[]autoscalingv1.MetricStatus](from, statusesAnnotation); ok {
		to.Status.CurrentMetrics = nil // these have more to say
		for i := range statuses {
			to.Status.CurrentMetrics = append(to.Status.CurrentMetrics, statusFromV1(&statuses[i]))
		}
	}
	if conditions, ok := annotated[[]autoscalingv2.HorizontalPodAutoscalerCondition](from, conditionsAnnotation); ok {
		to.Status.Conditions = conditions
	}
	dropAnnotations(to.Annotations)
	if len(to.Annotations) == 0 {
		to.Annotations = nil
	}
	to.SetGroupVersionKind(autoscalingv2.SchemeGroupVersion.WithKind("HorizontalPodAutoscaler"))
	return to, nil
}

// annotated is what an annotation holds. One that cannot be read says nothing, as upstream has it: anybody may write such an
// annotation, and an object that once was stored with one is read for ever.
func annotated[T any](from *autoscalingv1.HorizontalPodAutoscaler, key string) (held T, ok bool) {
	text, set := from.Annotations[key]
	ok = set && json.Unmarshal([]byte(text), &held) == nil
	return held, ok
}

// dropAnnotations takes away what says more in v1, and what said so in versions that are gone.
func dropAnnotations(annotations map[string]string) {
	for _, key := range []string{metricsAnnotation, statusesAnnotation, conditionsAnnotation, behaviorAnnotation, upAnnotation, downAnnotation} {
		delete(annotations, key)
	}
}

func toV1(obj resource.Object) (resource.Object, error) {
	from := obj.(*autoscalingv2.HorizontalPodAutoscaler).DeepCopy()
	to := &autoscalingv1.HorizontalPodAutoscaler{ObjectMeta: from.ObjectMeta}
	to.Spec.ScaleTargetRef = autoscalingv1.CrossVersionObjectReference(from.Spec.ScaleTargetRef)
	to.Spec.MinReplicas, to.Spec.MaxReplicas = from.Spec.MinReplicas, from.Spec.MaxReplicas
	to.Status.ObservedGeneration, to.Status.LastScaleTime = from.Status.ObservedGeneration, from.Status.LastScaleTime
	to.Status.CurrentReplicas, to.Status.DesiredReplicas = from.Status.CurrentReplicas, from.Status.DesiredReplicas
	var others []autoscalingv1.MetricSpec
	for _, m := range from.Spec.Metrics {
		if m.Type != autoscalingv2.ResourceMetricSourceType || m.Resource == nil || m.Resource.Name != corev1.ResourceCPU || m.Resource.Target.AverageUtilization == nil {
			others = append(others, specToV1(&m))
		} else if to.Spec.TargetCPUUtilizationPercentage == nil {
			to.Spec.TargetCPUUtilizationPercentage = m.Resource.Target.AverageUtilization
		}
	}
	for _, m := range from.Status.CurrentMetrics {
		if m.Type == autoscalingv2.ResourceMetricSourceType && m.Resource != nil && m.Resource.Name == corev1.ResourceCPU && m.Resource.Current.AverageUtilization != nil {
			to.Status.CurrentCPUUtilizationPercentage = m.Resource.Current.AverageUtilization
		}
	}
	dropAnnotations(to.Annotations)
	extra := map[string]any{}
	if len(others) > 0 {
		extra[metricsAnnotation] = others
	}
	if from.Spec.Behavior != nil {
		extra[behaviorAnnotation] = behaviorAsText(from.Spec.Behavior)
	}
	if len(from.Status.CurrentMetrics) > 0 {
		var statuses []autoscalingv1.MetricStatus
		for i := range from.Status.CurrentMetrics {
			statuses = append(statuses, statusToV1(&from.Status.CurrentMetrics[i]))
		}
		extra[statusesAnnotation] = statuses
	}
	if len(from.Status.Conditions) > 0 {
		extra[conditionsAnnotation] = from.Status.Conditions
	}
	if len(extra) > 0 && to.Annotations == nil {
		to.Annotations = map[string]string{}
	}
	for key, value := range extra {
		text, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		to.Annotations[key] = string(text)
	}
	to.SetGroupVersionKind(autoscalingv1.SchemeGroupVersion.WithKind("HorizontalPodAutoscaler"))
	return to, nil
}

// configFromV1 turns what is applied through v1.
func configFromV1(config map[string]any) {
	spec, _ := config["spec"].(map[string]any)
	share, set := spec["targetCPUUtilizationPercentage"]
	if !set {
		return
	}
	delete(spec, "targetCPUUtilizationPercentage")
	spec["metrics"] = []any{map[string]any{"type": "Resource", "resource": map[string]any{
		"name": "cpu", "target": map[string]any{"type": "Utilization", "averageUtilization": share},
	}}}
}
