package core

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/podspec"
	"proa/kinds/resource"
)

// PodTemplate is the row of podtemplates.
func PodTemplate() *resource.Resource {
	return &resource.Resource{
		Version: "v1", Name: "podtemplates", Singular: "podtemplate", Kind: "PodTemplate", Namespaced: true,
		New:            func() resource.Object { return &corev1.PodTemplate{} },
		NewList:        func() runtime.Object { return &corev1.PodTemplateList{} },
		Default:        resource.Do(func(t *corev1.PodTemplate) { podspec.DefaultTemplate(&t.Template) }),
		PrepareCreate:  resource.Do(createPodTemplate),
		PrepareUpdate:  resource.Do2(updatePodTemplate),
		Validate:       resource.Typed(validatePodTemplate),
		ChecksNameOnce: true,
		ValidateUpdate: resource.Typed2(func(t, _ *corev1.PodTemplate) field.ErrorList {
			return validatePodTemplate(t)
		}),
		Warnings:                 podTemplateWarnings,
		AllowUnconditionalUpdate: true,
		Columns: []resource.Column{
			meta.Name(),
			meta.Column("Containers", "Names of each container in the template."),
			meta.Column("Images", "Images referenced by each container in the template."),
			meta.Column("Pod Labels", "The labels for the pod template."),
		},
		Row: resource.Typed(podTemplateRow),
	}
}

func createPodTemplate(t *corev1.PodTemplate) {
	t.Generation = 1
	podspec.DropDisabled(&t.Template.Spec)
}

func updatePodTemplate(t, old *corev1.PodTemplate) {
	podspec.DropDisabled(&t.Template.Spec)
	t.Generation = old.Generation
	if !equality.Semantic.DeepEqual(t.Template, old.Template) {
		t.Generation++
	}
}

func validatePodTemplate(t *corev1.PodTemplate) field.ErrorList {
	return podspec.ValidateTemplate(&t.Template, field.NewPath("template"))
}

// podTemplateWarnings are given once for each content.
func podTemplateWarnings(obj, old resource.Object) []string {
	if old != nil && obj.GetGeneration() == old.GetGeneration() {
		return nil
	}
	return podspec.TemplateWarnings(&obj.(*corev1.PodTemplate).Template, field.NewPath("template"))
}

func podTemplateRow(t *corev1.PodTemplate) []any {
	names, images := podspec.ContainerCells(t.Template.Spec.Containers)
	return []any{t.Name, names, images, labels.FormatLabels(t.Template.Labels)}
}
