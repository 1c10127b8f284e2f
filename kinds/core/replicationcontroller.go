package core

import (
	"fmt"
	"maps"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/podspec"
	"proa/kinds/resource"
)

// ReplicationController is the row of replicationcontrollers.
func ReplicationController() *resource.Resource {
	return &resource.Resource{
		Version: "v1", Name: "replicationcontrollers", Singular: "replicationcontroller", Kind: "ReplicationController",
		ShortNames: []string{"rc"}, Categories: []string{"all"}, Namespaced: true,
		New:     func() resource.Object { return &corev1.ReplicationController{} },
		NewList: func() runtime.Object { return &corev1.ReplicationControllerList{} },

		Default:        resource.Do(defaultReplicationController),
		PrepareCreate:  resource.Do(createReplicationController),
		PrepareUpdate:  resource.Do2(updateReplicationController),
		Validate:       resource.Typed(validateReplicationController),
		ValidateName:   meta.NameAlone,
		ChecksNameOnce: true,
		ValidateUpdate: resource.Typed2(func(rc, _ *corev1.ReplicationController) field.ErrorList { return validateReplicationController(rc) }),
		Warnings:       replicationControllerWarnings,

		AllowUnconditionalUpdate: true,
		OrphanDependents:         true,
		Status: &resource.Subresource{
			Name: "status", Verbs: []string{"get", "patch", "update"},
			PrepareUpdate:  resource.Do2(func(rc, old *corev1.ReplicationController) { rc.Spec = *old.Spec.DeepCopy() }),
			ValidateUpdate: resource.Typed2(validateReplicationControllerStatus),
		},
		Scale: &resource.Scale{
			Get: func(obj resource.Object) (replicas, status int32, selector string) {
				rc := obj.(*corev1.ReplicationController)
				return wantedReplicas(rc), rc.Status.Replicas, labels.SelectorFromSet(rc.Spec.Selector).String()
			},
			Set: func(obj resource.Object, replicas int32) {
				obj.(*corev1.ReplicationController).Spec.Replicas = &replicas
			},
			SpecPath: ".spec.replicas", StatusPath: ".status.replicas",
		},
		Columns: []resource.Column{
			meta.Name(),
			meta.Number("Desired", corev1.ReplicationControllerSpec{}.SwaggerDoc()["replicas"]),
			meta.Number("Current", corev1.ReplicationControllerStatus{}.SwaggerDoc()["replicas"]),
			meta.Number("Ready", corev1.ReplicationControllerStatus{}.SwaggerDoc()["readyReplicas"]),
			meta.Age(),
			podspec.ContainersColumn(), podspec.ImagesColumn(),
			meta.Wide("Selector", corev1.ReplicationControllerSpec{}.SwaggerDoc()["selector"]),
		},
		Row: resource.Typed(replicationControllerRow),
		Fields: resource.Typed(func(rc *corev1.ReplicationController) fields.Set {
			return fields.Set{"status.replicas": strconv.Itoa(int(rc.Status.Replicas))}
		}),
		FieldLabels: []string{"status.replicas"},
	}
}

// wantedReplicas reads spec.replicas, which only an object that no defaulting has seen can lack.
func wantedReplicas(rc *corev1.ReplicationController) int32 {
	if rc.Spec.Replicas == nil {
		return 0
	}
	return *rc.Spec.Replicas
}

func replicationControllerRow(rc *corev1.ReplicationController) []any {
	var containers []corev1.Container
	if rc.Spec.Template != nil {
		containers = rc.Spec.Template.Spec.Containers
	}
	names, images := podspec.ContainerCells(containers)
	return []any{
		rc.Name, int64(wantedReplicas(rc)), int64(rc.Status.Replicas), int64(rc.Status.ReadyReplicas),
		meta.Since(rc.CreationTimestamp), names, images, labels.FormatLabels(rc.Spec.Selector),
	}
}

// defaultReplicationController takes selector and labels from the template, as no later kind does.
func defaultReplicationController(rc *corev1.ReplicationController) {
	if rc.Spec.Replicas == nil {
		rc.Spec.Replicas = new(int32(1))
	}
	template := rc.Spec.Template
	if template == nil {
		return
	}
	if template.Labels != nil {
		if len(rc.Spec.Selector) == 0 {
			rc.Spec.Selector = maps.Clone(template.Labels)
		}
		if len(rc.Labels) == 0 {
			rc.Labels = maps.Clone(template.Labels)
		}
	}
	podspec.DefaultTemplate(template)
}

func createReplicationController(rc *corev1.ReplicationController) {
	rc.Generation = 1
	rc.Status = corev1.ReplicationControllerStatus{}
	dropDisabled(rc)
}

func updateReplicationController(rc, old *corev1.ReplicationController) {
	rc.Status = *old.Status.DeepCopy()
	dropDisabled(rc)
	rc.Generation = old.Generation
	if !equality.Semantic.DeepEqual(rc.Spec, old.Spec) {
		rc.Generation++
	}
}

func dropDisabled(rc *corev1.ReplicationController) {
	if rc.Spec.Template != nil {
		podspec.DropDisabled(&rc.Spec.Template.Spec)
	}
}

func replicationControllerWarnings(obj, old resource.Object) []string {
	rc := obj.(*corev1.ReplicationController)
	var list []string
	if old == nil {
		if messages := validation.IsDNS1123Label(rc.Name); len(messages) > 0 {
			list = append(list, fmt.Sprintf("metadata.name: this is used in Pod names and hostnames, "+
				"which can result in surprising behavior; a DNS label is recommended: %v", messages))
		}
	} else if rc.Generation == old.GetGeneration() {
		return nil
	}
	if rc.Spec.Template == nil {
		return list
	}
	return append(list, podspec.TemplateWarnings(rc.Spec.Template, field.NewPath("spec", "template"))...)
}

func validateReplicationController(rc *corev1.ReplicationController) field.ErrorList {
	path, spec := field.NewPath("spec"), &rc.Spec
	errs := meta.NotNegative(path.Child("minReadySeconds"), spec.MinReadySeconds)
	if len(spec.Selector) == 0 {
		errs = append(errs, field.Required(path.Child("selector"), ""))
	}
	errs = append(errs, meta.NotNegative(path.Child("replicas"), wantedReplicas(rc))...)
	at, template := path.Child("template"), spec.Template
	if template == nil {
		return append(errs, field.Required(at, ""))
	}
	if selector := labels.SelectorFromSet(spec.Selector); !selector.Empty() && !selector.Matches(labels.Set(template.Labels)) {
		errs = append(errs, field.Invalid(at.Child("metadata", "labels"), template.Labels, "`selector` does not match template `labels`"))
	}
	errs = append(errs, podspec.ValidateTemplate(template, at)...)
	return append(errs, podspec.ValidateRunsForever(&template.Spec, at.Child("spec"), "ReplicationController")...)
}

func validateReplicationControllerStatus(rc, _ *corev1.ReplicationController) field.ErrorList {
	path, s := field.NewPath("status"), &rc.Status
	labeled := meta.CountOf("fullyLabeledReplicas", s.FullyLabeledReplicas)
	ready := meta.CountOf("readyReplicas", s.ReadyReplicas)
	available := meta.CountOf("availableReplicas", s.AvailableReplicas)
	errs := meta.NotNegatives(path, meta.CountOf("replicas", s.Replicas), labeled, ready, available,
		meta.CountOf("observedGeneration", s.ObservedGeneration))
	errs = append(errs, meta.AtMost(path, s.Replicas, "cannot be greater than status.replicas", labeled, ready, available)...)
	return append(errs, meta.AtMost(path, s.ReadyReplicas, "cannot be greater than readyReplicas", available)...)
}
