package apps

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	"proa/kinds/meta"
	"proa/kinds/podspec"
	"proa/kinds/resource"
)

// templateGeneration keeps, as kubectl and old clients know it, how often a daemon set's template changed.
const templateGeneration = appsv1.DeprecatedTemplateGeneration

// DaemonSet is the row of daemonsets.
func DaemonSet() *resource.Resource {
	return &resource.Resource{
		Group: "apps", Version: "v1", Name: "daemonsets", Singular: "daemonset", Kind: "DaemonSet",
		ShortNames: []string{"ds"}, Categories: []string{"all"}, Namespaced: true,
		New:     func() resource.Object { return &appsv1.DaemonSet{} },
		NewList: func() runtime.Object { return &appsv1.DaemonSetList{} },
		Blank:   resource.Do(func(d *appsv1.DaemonSet) { writeTemplateGeneration(d, 0) }),

		ConvertedAnnotations: []string{templateGeneration},

		Default:        resource.Do(defaultDaemonSet),
		PrepareCreate:  resource.Do(prepareDaemonSetCreate),
		PrepareUpdate:  resource.Do2(prepareDaemonSetUpdate),
		Validate:       resource.Typed(validateDaemonSet),
		ChecksNameOnce: true,
		ValidateUpdate: resource.Typed2(validateDaemonSetUpdate),
		Warnings:       daemonSetWarnings,

		AllowUnconditionalUpdate: true,
		Status: &resource.Subresource{
			Name: "status", Verbs: []string{"get", "patch", "update"},
			PrepareUpdate: resource.Do2(prepareDaemonSetStatus), ValidateUpdate: resource.Typed2(validateDaemonSetStatus),
		},
		Columns: daemonSetColumns(),
		Row:     resource.Typed(daemonSetRow),
	}
}

func daemonSetColumns() []resource.Column {
	return []resource.Column{
		meta.Name(),
		meta.Number("Desired", appsv1.DaemonSetStatus{}.SwaggerDoc()["desiredNumberScheduled"]),
		meta.Number("Current", appsv1.DaemonSetStatus{}.SwaggerDoc()["currentNumberScheduled"]),
		meta.Number("Ready", appsv1.DaemonSetStatus{}.SwaggerDoc()["numberReady"]),
		meta.Number("Up-to-date", appsv1.DaemonSetStatus{}.SwaggerDoc()["updatedNumberScheduled"]),
		meta.Number("Available", appsv1.DaemonSetStatus{}.SwaggerDoc()["numberAvailable"]),
		meta.Column("Node Selector", corev1.PodSpec{}.SwaggerDoc()["nodeSelector"]),
		meta.Age(), podspec.ContainersColumn(), podspec.ImagesColumn(),
		meta.Wide("Selector", appsv1.DaemonSetSpec{}.SwaggerDoc()["selector"]),
	}
}

func daemonSetRow(d *appsv1.DaemonSet) []any {
	names, images := podspec.ContainerCells(d.Spec.Template.Spec.Containers)
	return []any{
		d.Name, int64(d.Status.DesiredNumberScheduled), int64(d.Status.CurrentNumberScheduled), int64(d.Status.NumberReady),
		int64(d.Status.UpdatedNumberScheduled), int64(d.Status.NumberAvailable), labels.FormatLabels(d.Spec.Template.Spec.NodeSelector),
		meta.Since(d.CreationTimestamp), names, images, metav1.FormatLabelSelector(d.Spec.Selector),
	}
}

func defaultDaemonSet(d *appsv1.DaemonSet) {
	defaultInt(&d.Spec.RevisionHistoryLimit, 10)
	strategy := &d.Spec.UpdateStrategy
	if strategy.Type == "" {
		strategy.Type = appsv1.RollingUpdateDaemonSetStrategyType
	}
	if strategy.Type == appsv1.RollingUpdateDaemonSetStrategyType {
		if strategy.RollingUpdate == nil {
			strategy.RollingUpdate = &appsv1.RollingUpdateDaemonSet{}
		}
		if strategy.RollingUpdate.MaxUnavailable == nil {
			strategy.RollingUpdate.MaxUnavailable = new(intstr.FromInt32(1))
		}
		if strategy.RollingUpdate.MaxSurge == nil {
			strategy.RollingUpdate.MaxSurge = new(intstr.FromInt32(0))
		}
	}
	if rolling := strategy.RollingUpdate; rolling != nil { // upstream keeps numbers there, not pointers
		rolling.MaxUnavailable = new(ptr.Deref(rolling.MaxUnavailable, intstr.IntOrString{}))
		rolling.MaxSurge = new(ptr.Deref(rolling.MaxSurge, intstr.IntOrString{}))
	}
	podspec.DefaultTemplate(&d.Spec.Template)
	writeTemplateGeneration(d, readTemplateGeneration(d)) // as upstream's conversion does, so whoever writes the object owns it
}

func prepareDaemonSetCreate(d *appsv1.DaemonSet) {
	d.Generation = 1
	d.Status = appsv1.DaemonSetStatus{}
	podspec.DropDisabled(&d.Spec.Template.Spec)
	if readTemplateGeneration(d) < 1 {
		writeTemplateGeneration(d, 1)
	}
}

func prepareDaemonSetUpdate(d, old *appsv1.DaemonSet) {
	d.Status = *old.Status.DeepCopy()
	podspec.DropDisabled(&d.Spec.Template.Spec)
	generation := readTemplateGeneration(old)
	if !equality.Semantic.DeepEqual(d.Spec.Template, old.Spec.Template) {
		generation++
	}
	writeTemplateGeneration(d, generation)
	meta.CountGeneration(d, old, !equality.Semantic.DeepEqual(d.Spec, old.Spec))
}

func prepareDaemonSetStatus(d, old *appsv1.DaemonSet) {
	d.Spec = *old.Spec.DeepCopy()
	d.Generation = old.Generation
	writeTemplateGeneration(d, readTemplateGeneration(old))
}

func daemonSetWarnings(obj, old resource.Object) []string {
	d := obj.(*appsv1.DaemonSet)
	if old != nil && equality.Semantic.DeepEqual(d.Spec.Template, old.(*appsv1.DaemonSet).Spec.Template) {
		return nil
	}
	return podspec.TemplateWarnings(&d.Spec.Template, field.NewPath("spec", "template"))
}

func validateDaemonSet(d *appsv1.DaemonSet) field.ErrorList {
	path, spec := field.NewPath("spec"), &d.Spec
	at := path.Child("selector")
	errs := metav1validation.ValidateLabelSelector(spec.Selector, metav1validation.LabelSelectorValidationOptions{}, at)
	selector, err := metav1.LabelSelectorAsSelector(spec.Selector)
	if err == nil && !selector.Matches(labels.Set(spec.Template.Labels)) {
		errs = append(errs, field.Invalid(path.Child("template", "metadata", "labels"), spec.Template.Labels, "`selector` does not match template `labels`"))
	}
	if spec.Selector != nil && len(spec.Selector.MatchLabels)+len(spec.Selector.MatchExpressions) == 0 {
		errs = append(errs, field.Invalid(at, spec.Selector, "empty selector is invalid for daemonset"))
	}
	errs = append(errs, podspec.ValidateTemplate(&spec.Template, path.Child("template"))...)
	errs = append(errs, podspec.ValidateRunsForever(&spec.Template.Spec, path.Child("template", "spec"), "DaemonSet")...)
	errs = append(errs, meta.NotNegative(path.Child("minReadySeconds"), spec.MinReadySeconds)...)
	errs = append(errs, validateDaemonSetStrategy(&spec.UpdateStrategy, path.Child("updateStrategy"))...)
	if limit := spec.RevisionHistoryLimit; limit != nil {
		errs = append(errs, meta.NotNegative(path.Child("revisionHistoryLimit"), *limit)...)
	}
	return errs
}

func validateDaemonSetUpdate(d, old *appsv1.DaemonSet) field.ErrorList {
	errs := validation.ValidateImmutableField(d.Spec.Selector, old.Spec.Selector, field.NewPath("spec", "selector"))
	return append(errs, validateDaemonSet(d)...)
}

func validateDaemonSetStatus(d, old *appsv1.DaemonSet) field.ErrorList {
	path, s := field.NewPath("status"), &d.Status
	errs := meta.NotNegatives(path, meta.CountOf("currentNumberScheduled", s.CurrentNumberScheduled), meta.CountOf("numberMisscheduled", s.NumberMisscheduled),
		meta.CountOf("desiredNumberScheduled", s.DesiredNumberScheduled), meta.CountOf("numberReady", s.NumberReady),
		meta.CountOf("observedGeneration", s.ObservedGeneration), meta.CountOf("updatedNumberScheduled", s.UpdatedNumberScheduled),
		meta.CountOf("numberAvailable", s.NumberAvailable), meta.CountOf("numberUnavailable", s.NumberUnavailable),
		meta.Optional("collisionCount", s.CollisionCount))
	return append(errs, meta.NotDecremented(path.Child("collisionCount"), s.CollisionCount, old.Status.CollisionCount)...)
}
