package legacy

import (
	"maps"
	"math"

	appsv1 "k8s.io/api/apps/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"proa/kinds/resource"
)

func setIfNil[T any](at **T, value T) {
	if *at == nil {
		*at = &value
	}
}

// ownLabels: what selects its pods took a template's labels as its selector, and as its own labels.
func ownLabels(meta *metav1.ObjectMeta, selector **metav1.LabelSelector, labels map[string]string) {
	if labels == nil {
		return
	}
	if *selector == nil {
		*selector = &metav1.LabelSelector{MatchLabels: maps.Clone(labels)}
	}
	if len(meta.Labels) == 0 {
		meta.Labels = maps.Clone(labels)
	}
}

func selectOwnLabels(obj resource.Object) {
	rs := obj.(*appsv1.ReplicaSet)
	ownLabels(&rs.ObjectMeta, &rs.Spec.Selector, rs.Spec.Template.Labels)
}

func appsDeployment(obj resource.Object) {
	d := obj.(*appsv1.Deployment)
	ownLabels(&d.ObjectMeta, &d.Spec.Selector, d.Spec.Template.Labels)
	setIfNil(&d.Spec.RevisionHistoryLimit, 2)
}

// extensionsDeployment: one pod more or less at a time, all history, and no deadline.
func extensionsDeployment(obj resource.Object) {
	d := obj.(*appsv1.Deployment)
	ownLabels(&d.ObjectMeta, &d.Spec.Selector, d.Spec.Template.Labels)
	strategy := &d.Spec.Strategy
	if strategy.Type == "" {
		strategy.Type = appsv1.RollingUpdateDeploymentStrategyType
	}
	if strategy.Type == appsv1.RollingUpdateDeploymentStrategyType {
		setIfNil(&strategy.RollingUpdate, appsv1.RollingUpdateDeployment{})
		setIfNil(&strategy.RollingUpdate.MaxUnavailable, intstr.FromInt32(1))
		setIfNil(&strategy.RollingUpdate.MaxSurge, intstr.FromInt32(1))
	}
	setIfNil(&d.Spec.ProgressDeadlineSeconds, math.MaxInt32)
	setIfNil(&d.Spec.RevisionHistoryLimit, math.MaxInt32)
}

func extensionsDaemonSet(obj resource.Object) {
	d := obj.(*appsv1.DaemonSet)
	ownLabels(&d.ObjectMeta, &d.Spec.Selector, d.Spec.Template.Labels)
	if d.Spec.UpdateStrategy.Type == "" {
		d.Spec.UpdateStrategy.Type = appsv1.OnDeleteDaemonSetStrategyType
	}
}

func appsStatefulSet(obj resource.Object) {
	s := obj.(*appsv1.StatefulSet)
	ownLabels(&s.ObjectMeta, &s.Spec.Selector, s.Spec.Template.Labels)
	if s.Spec.UpdateStrategy.Type == "" {
		s.Spec.UpdateStrategy.Type = appsv1.OnDeleteStatefulSetStrategyType
	}
}

func anyPathType(obj resource.Object) {
	i := obj.(*networkingv1.Ingress)
	for r := range i.Spec.Rules {
		if http := i.Spec.Rules[r].HTTP; http != nil {
			for p := range http.Paths {
				setIfNil(&http.Paths[p].PathType, networkingv1.PathTypeImplementationSpecific)
			}
		}
	}
}
