// Package autoscaling holds the rules of HorizontalPodAutoscaler: defaults, what it refuses, what kubectl shows, and how
// autoscaling/v1 sees what is stored as v2.
//
// It decides and does nothing on its own: every function is pure and is called through the row of its kind, by the API
// server for each write and by whoever prints a table. It needs nothing that could be gone.
package autoscaling

import (
	"fmt"
	"strings"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// DefaultUtilization is the share of requested CPU, in percent, that an autoscaler without metrics aims at.
const DefaultUtilization = 80

// HorizontalPodAutoscaler is the row of horizontalpodautoscalers.
func HorizontalPodAutoscaler() *resource.Resource {
	spec := autoscalingv2.HorizontalPodAutoscalerSpec{}.SwaggerDoc()
	return &resource.Resource{
		Group: autoscalingv2.GroupName, Version: "v2", Name: "horizontalpodautoscalers", Singular: "horizontalpodautoscaler", Kind: "HorizontalPodAutoscaler",
		ShortNames: []string{"hpa"}, Categories: []string{"all"}, Namespaced: true,
		New:     func() resource.Object { return &autoscalingv2.HorizontalPodAutoscaler{} },
		NewList: func() runtime.Object { return &autoscalingv2.HorizontalPodAutoscalerList{} },
		Default: resource.Do(setDefaults),
		PrepareCreate: resource.Do(func(a *autoscalingv2.HorizontalPodAutoscaler) {
			a.Status = autoscalingv2.HorizontalPodAutoscalerStatus{}
		}),
		PrepareUpdate:            resource.Do2(func(a, old *autoscalingv2.HorizontalPodAutoscaler) { a.Status = *old.Status.DeepCopy() }),
		Validate:                 resource.Typed(func(a *autoscalingv2.HorizontalPodAutoscaler) field.ErrorList { return validate(a, nil) }),
		ChecksNameOnce:           true,
		ValidateUpdate:           resource.Typed2(validate),
		AllowUnconditionalUpdate: true,
		Status: &resource.Subresource{
			Name:          "status",
			PrepareUpdate: resource.Do2(func(a, old *autoscalingv2.HorizontalPodAutoscaler) { a.Spec = *old.Spec.DeepCopy() }),
			ValidateUpdate: resource.Typed2(func(a, _ *autoscalingv2.HorizontalPodAutoscaler) field.ErrorList {
				return meta.NotNegatives(field.NewPath("status"), meta.CountOf("currentReplicas", a.Status.CurrentReplicas), meta.CountOf("desiredReplicas", a.Status.DesiredReplicas))
			}),
		},
		Columns: []resource.Column{
			meta.Name(),
			meta.Column("Reference", spec["scaleTargetRef"]),
			meta.Column("Targets", spec["metrics"]),
			meta.Column("MinPods", spec["minReplicas"]),
			meta.Column("MaxPods", spec["maxReplicas"]),
			meta.Column("Replicas", autoscalingv2.HorizontalPodAutoscalerStatus{}.SwaggerDoc()["currentReplicas"]),
			meta.Age(),
		},
		Row: resource.Typed(row),
		Served: []resource.Served{{
			Group: autoscalingv1.GroupName, Version: "v1",
			New:        func() resource.Object { return &autoscalingv1.HorizontalPodAutoscaler{} },
			NewList:    func() runtime.Object { return &autoscalingv1.HorizontalPodAutoscalerList{} },
			ToStored:   fromV1,
			FromStored: toV1,
			Config:     configFromV1,
		}},
	}
}

func setIfNil[T any](at **T, value T) {
	if *at == nil {
		*at = &value
	}
}

func setDefaults(a *autoscalingv2.HorizontalPodAutoscaler) {
	setIfNil(&a.Spec.MinReplicas, 1)
	if len(a.Spec.Metrics) == 0 {
		a.Spec.Metrics = []autoscalingv2.MetricSpec{cpuMetric(DefaultUtilization)}
	}
	if b := a.Spec.Behavior; b != nil {
		b.ScaleUp, b.ScaleDown = UpRules(b.ScaleUp), DownRules(b.ScaleDown)
	}
	dropAnnotations(a.Annotations) // v2 has fields for them
}

func cpuMetric(utilization int32) autoscalingv2.MetricSpec {
	return autoscalingv2.MetricSpec{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{
		Name: corev1.ResourceCPU, Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: &utilization},
	}}
}

// Periods of the policies that hold when none are named, in seconds.
const defaultPeriod = 15

// UpRules are the rules for growth with what they leave out: at once, by four pods or to the double in 15 seconds, whichever
// is more.
func UpRules(rules *autoscalingv2.HPAScalingRules) *autoscalingv2.HPAScalingRules {
	return filled(rules, autoscalingv2.HPAScalingRules{
		StabilizationWindowSeconds: new(int32(0)),
		SelectPolicy:               new(autoscalingv2.MaxChangePolicySelect),
		Policies: []autoscalingv2.HPAScalingPolicy{
			{Type: autoscalingv2.PodsScalingPolicy, Value: 4, PeriodSeconds: defaultPeriod},
			{Type: autoscalingv2.PercentScalingPolicy, Value: 100, PeriodSeconds: defaultPeriod},
		},
	})
}

// DownRules are the rules for shrinking with what they leave out: by as many as are too many, but for the stabilisation
// window, which is the controller's where none is named.
func DownRules(rules *autoscalingv2.HPAScalingRules) *autoscalingv2.HPAScalingRules {
	return filled(rules, autoscalingv2.HPAScalingRules{
		SelectPolicy: new(autoscalingv2.MaxChangePolicySelect),
		Policies:     []autoscalingv2.HPAScalingPolicy{{Type: autoscalingv2.PercentScalingPolicy, Value: 100, PeriodSeconds: defaultPeriod}},
	})
}

func filled(rules *autoscalingv2.HPAScalingRules, defaults autoscalingv2.HPAScalingRules) *autoscalingv2.HPAScalingRules {
	if rules == nil {
		return &defaults
	}
	out := rules.DeepCopy()
	if out.SelectPolicy == nil {
		out.SelectPolicy = defaults.SelectPolicy
	}
	if out.StabilizationWindowSeconds == nil {
		out.StabilizationWindowSeconds = defaults.StabilizationWindowSeconds
	}
	if out.Policies == nil {
		out.Policies = defaults.Policies
	}
	return out
}

func row(a *autoscalingv2.HorizontalPodAutoscaler) []any {
	least := "<unset>"
	if a.Spec.MinReplicas != nil {
		least = fmt.Sprint(*a.Spec.MinReplicas)
	}
	return []any{a.Name, a.Spec.ScaleTargetRef.Kind + "/" + a.Spec.ScaleTargetRef.Name, targets(a.Spec.Metrics, a.Status.CurrentMetrics), least,
		int64(a.Spec.MaxReplicas), int64(a.Status.CurrentReplicas), meta.Since(a.CreationTimestamp)}
}

// targets shows what each metric is and is to be, of two at most.
func targets(specs []autoscalingv2.MetricSpec, statuses []autoscalingv2.MetricStatus) string {
	if len(specs) == 0 {
		return "<none>"
	}
	const most = 2
	var list []string
	for i := range specs {
		var now *autoscalingv2.MetricStatus
		if i < len(statuses) {
			now = &statuses[i]
		}
		list = append(list, target(&specs[i], now))
	}
	if len(list) > most {
		return fmt.Sprintf("%s + %d more...", strings.Join(list[:most], ", "), len(list)-most)
	}
	return strings.Join(list, ", ")
}

func target(spec *autoscalingv2.MetricSpec, status *autoscalingv2.MetricStatus) string {
	want, now := TargetOf(spec), currentOf(spec.Type, status)
	switch spec.Type {
	case autoscalingv2.ResourceMetricSourceType:
		return string(spec.Resource.Name) + ": " + share(want, now)
	case autoscalingv2.ContainerResourceMetricSourceType:
		return string(spec.ContainerResource.Name) + ": " + share(want, now)
	case autoscalingv2.PodsMetricSourceType:
		return average(now) + "/" + want.AverageValue.String()
	case autoscalingv2.ObjectMetricSourceType, autoscalingv2.ExternalMetricSourceType:
		current := "<unknown>"
		switch {
		case want.AverageValue == nil && now != nil:
			current = now.Value.String()
		case want.AverageValue != nil && now != nil && now.AverageValue != nil:
			current = now.AverageValue.String()
		}
		if want.AverageValue != nil {
			return current + "/" + want.AverageValue.String() + " (avg)"
		}
		return current + "/" + want.Value.String()
	}
	return "<unknown type>"
}

func share(want *autoscalingv2.MetricTarget, now *autoscalingv2.MetricValueStatus) string {
	if want.AverageValue != nil {
		return average(now) + "/" + want.AverageValue.String()
	}
	current, goal := "<unknown>", "<auto>"
	if now != nil && now.AverageUtilization != nil {
		current = fmt.Sprintf("%d%%", *now.AverageUtilization)
	}
	if want.AverageUtilization != nil {
		goal = fmt.Sprintf("%d%%", *want.AverageUtilization)
	}
	return current + "/" + goal
}

// average is a mean as kubectl shows it: "<nil>" if the metric is there and has none.
func average(v *autoscalingv2.MetricValueStatus) string {
	if v == nil {
		return "<unknown>"
	}
	return v.AverageValue.String()
}

// TargetOf is what a metric is to be; never nil.
func TargetOf(m *autoscalingv2.MetricSpec) *autoscalingv2.MetricTarget {
	switch {
	case m.Type == autoscalingv2.ResourceMetricSourceType && m.Resource != nil:
		return &m.Resource.Target
	case m.Type == autoscalingv2.ContainerResourceMetricSourceType && m.ContainerResource != nil:
		return &m.ContainerResource.Target
	case m.Type == autoscalingv2.PodsMetricSourceType && m.Pods != nil:
		return &m.Pods.Target
	case m.Type == autoscalingv2.ObjectMetricSourceType && m.Object != nil:
		return &m.Object.Target
	case m.Type == autoscalingv2.ExternalMetricSourceType && m.External != nil:
		return &m.External.Target
	}
	return &autoscalingv2.MetricTarget{}
}

// currentOf is what a metric of the type is now; nil if the status has none of it.
func currentOf(source autoscalingv2.MetricSourceType, m *autoscalingv2.MetricStatus) *autoscalingv2.MetricValueStatus {
	switch {
	case m == nil:
	case source == autoscalingv2.ResourceMetricSourceType && m.Resource != nil:
		return &m.Resource.Current
	case source == autoscalingv2.ContainerResourceMetricSourceType && m.ContainerResource != nil:
		return &m.ContainerResource.Current
	case source == autoscalingv2.PodsMetricSourceType && m.Pods != nil:
		return &m.Pods.Current
	case source == autoscalingv2.ObjectMetricSourceType && m.Object != nil:
		return &m.Object.Current
	case source == autoscalingv2.ExternalMetricSourceType && m.External != nil:
		return &m.External.Current
	}
	return nil
}

// Tolerances are how far above and below its goal a metric may be before anything is done, as parts of 1.
func Tolerances(b *autoscalingv2.HorizontalPodAutoscalerBehavior, otherwise float64) (up, down float64) {
	of := func(rules *autoscalingv2.HPAScalingRules) float64 {
		if rules == nil || rules.Tolerance == nil {
			return otherwise
		}
		return rules.Tolerance.AsApproximateFloat64()
	}
	if b == nil {
		return otherwise, otherwise
	}
	return of(b.ScaleUp), of(b.ScaleDown)
}
