package autoscaling

import (
	"fmt"
	"slices"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apiresource "k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/api/validation/path"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
)

// Bounds of windows, in seconds.
const (
	longestWindow = 3600
	longestPeriod = 1800
)

// validate checks an autoscaler; old is nil when it is new. What it scales must be of a group, but for replication controllers;
// an unchanged reference of earlier days passes.
func validate(a, old *autoscalingv2.HorizontalPodAutoscaler) field.ErrorList {
	at, s := field.NewPath("spec"), &a.Spec
	var errs field.ErrorList
	least := int32(1)
	if old != nil && old.Spec.MinReplicas != nil && *old.Spec.MinReplicas == 0 {
		least = 0
	}
	if s.MinReplicas != nil && *s.MinReplicas < least {
		errs = append(errs, field.Invalid(at.Child("minReplicas"), *s.MinReplicas, fmt.Sprintf("must be greater than or equal to %d", least)))
	}
	switch {
	case s.MaxReplicas == 0:
		errs = append(errs, field.Required(at.Child("maxReplicas"), "must be set and greater than 0"))
	case s.MaxReplicas < 0:
		errs = append(errs, field.Invalid(at.Child("maxReplicas"), s.MaxReplicas, "must be greater than or equal to 1"))
	}
	if s.MinReplicas != nil && s.MaxReplicas < *s.MinReplicas {
		errs = append(errs, field.Invalid(at.Child("maxReplicas"), s.MaxReplicas, "must be greater than or equal to `minReplicas`"))
	}
	errs = append(errs, validateReference(s.ScaleTargetRef, at.Child("scaleTargetRef"))...)
	if old == nil || old.Spec.ScaleTargetRef.APIVersion != s.ScaleTargetRef.APIVersion || old.Spec.ScaleTargetRef.Kind != s.ScaleTargetRef.Kind {
		errs = append(errs, validateVersion(s.ScaleTargetRef, at.Child("scaleTargetRef", "apiVersion"), s.ScaleTargetRef.Kind == "ReplicationController")...)
	}
	for i := range s.Metrics {
		errs = append(errs, validateMetric(&s.Metrics[i], at.Child("metrics").Index(i))...)
	}
	if s.MinReplicas != nil && *s.MinReplicas == 0 && !slices.ContainsFunc(s.Metrics, scalesFromZero) {
		errs = append(errs, field.Forbidden(at.Child("metrics"), "must specify at least one Object or External metric to support scaling to zero replicas"))
	}
	if b := s.Behavior; b != nil {
		errs = append(errs, validateRules(b.ScaleUp, at.Child("behavior", "scaleUp"))...)
		errs = append(errs, validateRules(b.ScaleDown, at.Child("behavior", "scaleDown"))...)
	}
	return errs
}

// scalesFromZero: a metric of pods says nothing while there are none.
func scalesFromZero(m autoscalingv2.MetricSpec) bool {
	return m.Type == autoscalingv2.ObjectMetricSourceType || m.Type == autoscalingv2.ExternalMetricSourceType
}

func validateReference(ref autoscalingv2.CrossVersionObjectReference, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, part := range []struct{ name, value string }{{"kind", ref.Kind}, {"name", ref.Name}} {
		if part.value == "" {
			errs = append(errs, field.Required(at.Child(part.name), ""))
		} else {
			errs = append(errs, meta.Each(at.Child(part.name), part.value, path.IsValidPathSegmentName(part.value))...)
		}
	}
	return errs
}

func validateVersion(ref autoscalingv2.CrossVersionObjectReference, at *field.Path, coreToo bool) field.ErrorList {
	gv, err := schema.ParseGroupVersion(ref.APIVersion)
	switch {
	case err != nil:
		return field.ErrorList{field.Invalid(at, ref.APIVersion, err.Error())}
	case gv.Group == "" && !coreToo:
		return field.ErrorList{field.Invalid(at, ref.APIVersion, "apiVersion must specify API group")}
	}
	return nil
}

var (
	selects     = []autoscalingv2.ScalingPolicySelect{autoscalingv2.DisabledPolicySelect, autoscalingv2.MaxChangePolicySelect, autoscalingv2.MinChangePolicySelect}
	policyTypes = []autoscalingv2.HPAScalingPolicyType{autoscalingv2.PercentScalingPolicy, autoscalingv2.PodsScalingPolicy}
	sources     = []autoscalingv2.MetricSourceType{
		autoscalingv2.ContainerResourceMetricSourceType, autoscalingv2.ExternalMetricSourceType, autoscalingv2.ObjectMetricSourceType,
		autoscalingv2.PodsMetricSourceType, autoscalingv2.ResourceMetricSourceType,
	}
)

func validateRules(r *autoscalingv2.HPAScalingRules, at *field.Path) field.ErrorList {
	if r == nil {
		return nil
	}
	var errs field.ErrorList
	if w := r.StabilizationWindowSeconds; w != nil {
		if *w < 0 {
			errs = append(errs, field.Invalid(at.Child("stabilizationWindowSeconds"), *w, "must be greater than or equal to zero"))
		}
		if *w > longestWindow {
			errs = append(errs, field.Invalid(at.Child("stabilizationWindowSeconds"), *w, fmt.Sprintf("must be less than or equal to %v", longestWindow)))
		}
	}
	if r.SelectPolicy != nil && !slices.Contains(selects, *r.SelectPolicy) {
		errs = append(errs, field.NotSupported(at.Child("selectPolicy"), *r.SelectPolicy, selects))
	}
	if len(r.Policies) == 0 {
		errs = append(errs, field.Required(at.Child("policies"), "must specify at least one Policy"))
	}
	for i, p := range r.Policies {
		at := at.Child("policies").Index(i)
		if !slices.Contains(policyTypes, p.Type) {
			errs = append(errs, field.NotSupported(at.Child("type"), p.Type, policyTypes))
		}
		if p.Value <= 0 {
			errs = append(errs, field.Invalid(at.Child("value"), p.Value, "must be greater than zero"))
		}
		if p.PeriodSeconds <= 0 {
			errs = append(errs, field.Invalid(at.Child("periodSeconds"), p.PeriodSeconds, "must be greater than zero"))
		}
		if p.PeriodSeconds > longestPeriod {
			errs = append(errs, field.Invalid(at.Child("periodSeconds"), p.PeriodSeconds, fmt.Sprintf("must be less than or equal to %v", longestPeriod)))
		}
	}
	if r.Tolerance != nil && r.Tolerance.Sign() < 0 {
		errs = append(errs, field.Invalid(at.Child("tolerance"), r.Tolerance.String(), "must be greater than or equal to 0"))
	}
	return errs
}

// metricSource is one of the places that a metric can come from.
type metricSource struct {
	of    autoscalingv2.MetricSourceType
	name  string
	set   bool
	check func(*field.Path) field.ErrorList
}

// sourcesOf lists them in the order in which upstream looks at them.
func sourcesOf(m *autoscalingv2.MetricSpec) []metricSource {
	return []metricSource{
		{autoscalingv2.ObjectMetricSourceType, "object", m.Object != nil, func(at *field.Path) field.ErrorList { return validateObject(m.Object, at) }},
		{autoscalingv2.ExternalMetricSourceType, "external", m.External != nil, func(at *field.Path) field.ErrorList { return validateExternal(m.External, at) }},
		{autoscalingv2.PodsMetricSourceType, "pods", m.Pods != nil, func(at *field.Path) field.ErrorList { return validatePods(m.Pods, at) }},
		{autoscalingv2.ResourceMetricSourceType, "resource", m.Resource != nil, func(at *field.Path) field.ErrorList {
			return validateResource(m.Resource.Name, &m.Resource.Target, nil, at)
		}},
		{autoscalingv2.ContainerResourceMetricSourceType, "containerResource", m.ContainerResource != nil, func(at *field.Path) field.ErrorList {
			return validateResource(m.ContainerResource.Name, &m.ContainerResource.Target, &m.ContainerResource.Container, at)
		}},
	}
}

// validateMetric wants the one source that the type names. A source that stands alone is not found to be the wrong one: it is
// enough that the right one is missing.
func validateMetric(m *autoscalingv2.MetricSpec, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	if m.Type == "" {
		errs = append(errs, field.Required(at.Child("type"), "must specify a metric source type"))
	}
	if !slices.Contains(sources, m.Type) {
		errs = append(errs, field.NotSupported(at.Child("type"), m.Type, sources))
	}
	var missing, wrong field.ErrorList
	count := 0
	for _, source := range sourcesOf(m) {
		switch expected := source.of == m.Type; {
		case expected && !source.set:
			missing = append(missing, field.Required(at.Child(source.name), "must populate information for the given metric source"))
		case source.set && !expected:
			wrong = append(wrong, field.Forbidden(at.Child(source.name), "must populate the given metric source only"))
		}
		if !source.set {
			continue
		}
		if count++; count == 1 {
			errs = append(errs, source.check(at.Child(source.name))...)
		}
	}
	errs = append(errs, missing...)
	if count > 1 {
		errs = append(errs, wrong...)
	}
	return errs
}

func validateObject(s *autoscalingv2.ObjectMetricSource, at *field.Path) field.ErrorList {
	errs := validateReference(s.DescribedObject, at.Child("describedObject"))
	errs = append(errs, validateVersion(s.DescribedObject, at.Child("describedObject", "apiVersion"), true)...)
	errs = append(errs, validateIdentifier(&s.Metric, at.Child("metric"))...)
	errs = append(errs, validateTarget(&s.Target, at.Child("target"))...)
	if s.Target.Value == nil && s.Target.AverageValue == nil {
		errs = append(errs, field.Required(at.Child("target", "averageValue"), "must set either a target value or averageValue"))
	}
	return errs
}

func validateExternal(s *autoscalingv2.ExternalMetricSource, at *field.Path) field.ErrorList {
	errs := validateIdentifier(&s.Metric, at.Child("metric"))
	errs = append(errs, validateTarget(&s.Target, at.Child("target"))...)
	switch value, average := s.Target.Value, s.Target.AverageValue; {
	case value == nil && average == nil:
		errs = append(errs, field.Required(at.Child("target", "averageValue"), "must set either a target value for metric or a per-pod target"))
	case value != nil && average != nil:
		errs = append(errs, field.Forbidden(at.Child("target", "value"), "may not set both a target value for metric and a per-pod target"))
	}
	return errs
}

func validatePods(s *autoscalingv2.PodsMetricSource, at *field.Path) field.ErrorList {
	errs := validateIdentifier(&s.Metric, at.Child("metric"))
	errs = append(errs, validateTarget(&s.Target, at.Child("target"))...)
	if s.Target.AverageValue == nil {
		errs = append(errs, field.Required(at.Child("target", "averageValue"), "must specify a positive target averageValue"))
	}
	return errs
}

// validateResource checks what a pod uses, or one container of it; container is nil for a pod.
func validateResource(name corev1.ResourceName, t *autoscalingv2.MetricTarget, container *string, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	if name == "" {
		errs = append(errs, field.Required(at.Child("name"), "must specify a resource name"))
	} else if container != nil {
		errs = append(errs, meta.ContainerResourceName(at.Child("name"), name)...)
	}
	if container != nil && *container == "" {
		errs = append(errs, field.Required(at.Child("container"), "must specify a container"))
	} else if container != nil {
		errs = append(errs, meta.DNSLabel(at.Child("container"), *container)...)
	}
	errs = append(errs, validateTarget(t, at.Child("target"))...)
	switch {
	case t.AverageUtilization == nil && t.AverageValue == nil:
		errs = append(errs, field.Required(at.Child("target", "averageUtilization"), "must set either a target raw value or a target utilization"))
	case t.AverageUtilization != nil && t.AverageValue != nil:
		errs = append(errs, field.Forbidden(at.Child("target", "averageValue"), "may not set both a target raw value and a target utilization"))
	}
	return errs
}

func validateIdentifier(m *autoscalingv2.MetricIdentifier, at *field.Path) field.ErrorList {
	if m.Name == "" {
		return field.ErrorList{field.Required(at.Child("name"), "must specify a metric name")}
	}
	return meta.Each(at.Child("name"), m.Name, path.IsValidPathSegmentName(m.Name))
}

func validateTarget(t *autoscalingv2.MetricTarget, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	if t.Type == "" {
		errs = append(errs, field.Required(at.Child("type"), "must specify a metric target type"))
	}
	switch t.Type {
	case autoscalingv2.UtilizationMetricType, autoscalingv2.ValueMetricType, autoscalingv2.AverageValueMetricType:
	default:
		errs = append(errs, field.Invalid(at.Child("type"), t.Type, "must be either Utilization, Value, or AverageValue"))
	}
	for _, amount := range []struct {
		name  string
		value *apiresource.Quantity
	}{{"value", t.Value}, {"averageValue", t.AverageValue}} {
		if amount.value != nil && amount.value.Sign() != 1 {
			errs = append(errs, field.Invalid(at.Child(amount.name), amount.value.String(), "must be positive"))
		}
	}
	if u := t.AverageUtilization; u != nil && *u < 1 {
		errs = append(errs, field.Invalid(at.Child("averageUtilization"), *u, "must be greater than 0"))
	}
	return errs
}
