package apps

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/podspec"
	"proa/kinds/resource"
)

// StatefulSet is the row of statefulsets.
func StatefulSet() *resource.Resource {
	return &resource.Resource{
		Group: "apps", Version: "v1", Name: "statefulsets", Singular: "statefulset", Kind: "StatefulSet",
		ShortNames: []string{"sts"}, Categories: []string{"all"}, Namespaced: true,
		New:     func() resource.Object { return &appsv1.StatefulSet{} },
		NewList: func() runtime.Object { return &appsv1.StatefulSetList{} },
		Blank:   resource.Do(func(o *appsv1.StatefulSet) { o.Spec.Replicas = new(int32(0)) }),

		Unstored:       resource.Do(nameClaimTypes),
		Default:        resource.Do(defaultStatefulSet),
		PrepareCreate:  resource.Do(prepareStatefulSetCreate),
		PrepareUpdate:  resource.Do2(prepareStatefulSetUpdate),
		Validate:       resource.Typed(validateStatefulSet),
		ChecksNameOnce: true,
		ValidateUpdate: resource.Typed2(validateStatefulSetUpdate),
		// Pods are named after the set, so its name is a DNS label.
		ValidateName: validation.NameIsDNSLabel,
		Warnings:     statefulSetWarnings,

		AllowUnconditionalUpdate: true,
		Status: &resource.Subresource{
			Name: "status", Verbs: []string{"get", "patch", "update"},
			PrepareUpdate: resource.Do2(prepareStatefulSetStatus), ValidateUpdate: resource.Typed2(validateStatefulSetStatus),
		},
		Scale: &resource.Scale{
			Get: func(obj resource.Object) (replicas, status int32, selector string) {
				s := obj.(*appsv1.StatefulSet)
				return replicasOf(s.Spec.Replicas), s.Status.Replicas, selectorText(s.Spec.Selector)
			},
			Set:      func(obj resource.Object, replicas int32) { obj.(*appsv1.StatefulSet).Spec.Replicas = &replicas },
			SpecPath: ".spec.replicas", StatusPath: ".status.replicas",
		},
		Columns: []resource.Column{
			meta.Name(), meta.Column("Ready", "Number of the pod with ready state"), meta.Age(), podspec.ContainersColumn(), podspec.ImagesColumn(),
		},
		Row: resource.Typed(statefulSetRow),
	}
}

func statefulSetRow(s *appsv1.StatefulSet) []any {
	names, images := podspec.ContainerCells(s.Spec.Template.Spec.Containers)
	return []any{s.Name, fmt.Sprintf("%d/%d", s.Status.ReadyReplicas, replicasOf(s.Spec.Replicas)), meta.Since(s.CreationTimestamp), names, images}
}

// nameClaimTypes says of each claim template what it is, as clients expect who apply the whole set again. Bytes do not.
func nameClaimTypes(s *appsv1.StatefulSet) {
	for i := range s.Spec.VolumeClaimTemplates {
		claim := &s.Spec.VolumeClaimTemplates[i]
		claim.APIVersion, claim.Kind = "v1", "PersistentVolumeClaim"
	}
}

func defaultStatefulSet(s *appsv1.StatefulSet) {
	defaultInt(&s.Spec.Replicas, 1)
	defaultInt(&s.Spec.RevisionHistoryLimit, 10)
	if s.Spec.PodManagementPolicy == "" {
		s.Spec.PodManagementPolicy = appsv1.OrderedReadyPodManagement
	}
	strategy := &s.Spec.UpdateStrategy
	if strategy.Type == "" {
		strategy.Type = appsv1.RollingUpdateStatefulSetStrategyType
		if strategy.RollingUpdate == nil {
			strategy.RollingUpdate = &appsv1.RollingUpdateStatefulSetStrategy{}
		}
	}
	if strategy.Type == appsv1.RollingUpdateStatefulSetStrategyType && strategy.RollingUpdate != nil {
		defaultInt(&strategy.RollingUpdate.Partition, 0)
	}
	if s.Spec.PersistentVolumeClaimRetentionPolicy == nil {
		s.Spec.PersistentVolumeClaimRetentionPolicy = &appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{}
	}
	retention := s.Spec.PersistentVolumeClaimRetentionPolicy
	if retention.WhenDeleted == "" {
		retention.WhenDeleted = appsv1.RetainPersistentVolumeClaimRetentionPolicyType
	}
	if retention.WhenScaled == "" {
		retention.WhenScaled = appsv1.RetainPersistentVolumeClaimRetentionPolicyType
	}
	podspec.DefaultTemplate(&s.Spec.Template)
	nameClaimTypes(s)
	for i := range s.Spec.VolumeClaimTemplates {
		claim := &s.Spec.VolumeClaimTemplates[i]
		podspec.DefaultClaimSpec(&claim.Spec)
		if claim.Status.Phase == "" {
			claim.Status.Phase = corev1.ClaimPending
		}
		meta.RoundUp(claim.Status.Capacity)
		meta.RoundUp(claim.Status.AllocatedResources)
	}
}

func prepareStatefulSetCreate(s *appsv1.StatefulSet) {
	s.Generation = 1
	s.Status = appsv1.StatefulSetStatus{}
	podspec.DropDisabled(&s.Spec.Template.Spec)
}

func prepareStatefulSetUpdate(s, old *appsv1.StatefulSet) {
	s.Status = *old.Status.DeepCopy()
	podspec.DropDisabled(&s.Spec.Template.Spec)
	meta.CountGeneration(s, old, !equality.Semantic.DeepEqual(s.Spec, old.Spec))
}

func prepareStatefulSetStatus(s, old *appsv1.StatefulSet) {
	s.Spec = *old.Spec.DeepCopy()
	s.Generation = old.Generation
}

func statefulSetWarnings(obj, old resource.Object) []string {
	s := obj.(*appsv1.StatefulSet)
	// The name is a DNS label already, so that warning never comes.
	list := warnings(func(s *appsv1.StatefulSet) *corev1.PodTemplateSpec { return &s.Spec.Template })(obj, old)
	for i := range s.Spec.VolumeClaimTemplates {
		at := field.NewPath("spec", "volumeClaimTemplates").Index(i)
		if old != nil {
			at = at.Child("Spec") // as upstream has it
		}
		list = append(list, podspec.ClaimWarnings(at, &s.Spec.VolumeClaimTemplates[i].Spec)...)
	}
	if limit := s.Spec.RevisionHistoryLimit; limit != nil && *limit < 0 {
		list = append(list, "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended")
	}
	return list
}
