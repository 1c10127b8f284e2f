package apps

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"proa/kinds/meta"
	"proa/kinds/podspec"
	"proa/kinds/resource"
)

// Deployment is the row of deployments.
func Deployment() *resource.Resource {
	return &resource.Resource{
		Group: "apps", Version: "v1", Name: "deployments", Singular: "deployment", Kind: "Deployment",
		ShortNames: []string{"deploy"}, Categories: []string{"all"}, Namespaced: true,
		New:     func() resource.Object { return &appsv1.Deployment{} },
		NewList: func() runtime.Object { return &appsv1.DeploymentList{} },
		Blank:   resource.Do(func(o *appsv1.Deployment) { o.Spec.Replicas = new(int32(0)) }),

		Default:        resource.Do(defaultDeployment),
		PrepareCreate:  resource.Do(prepareDeploymentCreate),
		PrepareUpdate:  resource.Do2(prepareDeploymentUpdate),
		Validate:       resource.Typed(validateDeployment),
		ChecksNameOnce: true,
		ValidateUpdate: resource.Typed2(validateDeploymentUpdate),
		Warnings:       warnings(func(o *appsv1.Deployment) *corev1.PodTemplateSpec { return &o.Spec.Template }),

		AllowUnconditionalUpdate: true,
		Reset:                    map[string][]string{"status": {"metadata.labels", "spec"}},
		Status: &resource.Subresource{
			Name: "status", Verbs: []string{"get", "patch", "update"},
			PrepareUpdate: resource.Do2(prepareDeploymentStatus), ValidateUpdate: resource.Typed2(validateDeploymentStatus),
		},
		Scale: &resource.Scale{
			Get: func(obj resource.Object) (replicas, status int32, selector string) {
				d := obj.(*appsv1.Deployment)
				return replicasOf(d.Spec.Replicas), d.Status.Replicas, selectorText(d.Spec.Selector)
			},
			Set:      func(obj resource.Object, replicas int32) { obj.(*appsv1.Deployment).Spec.Replicas = &replicas },
			SpecPath: ".spec.replicas", StatusPath: ".status.replicas",
		},
		Columns: []resource.Column{
			meta.Name(),
			meta.Column("Ready", "Number of the pod with ready state"),
			meta.Column("Up-to-date", appsv1.DeploymentStatus{}.SwaggerDoc()["updatedReplicas"]),
			meta.Column("Available", appsv1.DeploymentStatus{}.SwaggerDoc()["availableReplicas"]),
			meta.Age(),
			podspec.ContainersColumn(), podspec.ImagesColumn(),
			meta.Wide("Selector", appsv1.DeploymentSpec{}.SwaggerDoc()["selector"]),
		},
		Row: resource.Typed(deploymentRow),
	}
}

func deploymentRow(d *appsv1.Deployment) []any {
	names, images := podspec.ContainerCells(d.Spec.Template.Spec.Containers)
	selector := "<invalid>"
	if s, err := metav1.LabelSelectorAsSelector(d.Spec.Selector); err == nil {
		selector = s.String()
	}
	return []any{
		d.Name, fmt.Sprintf("%d/%d", d.Status.ReadyReplicas, replicasOf(d.Spec.Replicas)),
		int64(d.Status.UpdatedReplicas), int64(d.Status.AvailableReplicas), meta.Since(d.CreationTimestamp),
		names, images, selector,
	}
}

func defaultDeployment(d *appsv1.Deployment) {
	defaultInt(&d.Spec.Replicas, 1)
	defaultInt(&d.Spec.RevisionHistoryLimit, 10)
	defaultInt(&d.Spec.ProgressDeadlineSeconds, 600)
	strategy := &d.Spec.Strategy
	if strategy.Type == "" {
		strategy.Type = appsv1.RollingUpdateDeploymentStrategyType
	}
	if strategy.Type == appsv1.RollingUpdateDeploymentStrategyType {
		if strategy.RollingUpdate == nil {
			strategy.RollingUpdate = &appsv1.RollingUpdateDeployment{}
		}
		if strategy.RollingUpdate.MaxUnavailable == nil {
			strategy.RollingUpdate.MaxUnavailable = new(intstr.FromString("25%"))
		}
		if strategy.RollingUpdate.MaxSurge == nil {
			strategy.RollingUpdate.MaxSurge = new(intstr.FromString("25%"))
		}
	}
	podspec.DefaultTemplate(&d.Spec.Template)
}

func prepareDeploymentCreate(d *appsv1.Deployment) {
	d.Generation = 1
	d.Status = appsv1.DeploymentStatus{}
	podspec.DropDisabled(&d.Spec.Template.Spec)
}

// prepareDeploymentUpdate counts changed annotations as a new generation too, because replica sets carry copies of them.
func prepareDeploymentUpdate(d, old *appsv1.Deployment) {
	d.Status = *old.Status.DeepCopy()
	podspec.DropDisabled(&d.Spec.Template.Spec)
	meta.CountGeneration(d, old, !equality.Semantic.DeepEqual(d.Spec, old.Spec) || !equality.Semantic.DeepEqual(d.Annotations, old.Annotations))
}

func prepareDeploymentStatus(d, old *appsv1.Deployment) {
	d.Spec = *old.Spec.DeepCopy()
	d.Labels = old.DeepCopy().Labels
	d.Generation = old.Generation
}
