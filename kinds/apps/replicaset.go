package apps

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"proa/kinds/meta"
	"proa/kinds/podspec"
	"proa/kinds/resource"
)

// ReplicaSet is the row of replicasets.
func ReplicaSet() *resource.Resource {
	return &resource.Resource{
		Group: "apps", Version: "v1", Name: "replicasets", Singular: "replicaset", Kind: "ReplicaSet",
		ShortNames: []string{"rs"}, Categories: []string{"all"}, Namespaced: true,
		New:     func() resource.Object { return &appsv1.ReplicaSet{} },
		NewList: func() runtime.Object { return &appsv1.ReplicaSetList{} },
		Blank:   resource.Do(func(o *appsv1.ReplicaSet) { o.Spec.Replicas = new(int32(0)) }),

		Default:        resource.Do(defaultReplicaSet),
		PrepareCreate:  resource.Do(prepareReplicaSetCreate),
		PrepareUpdate:  resource.Do2(prepareReplicaSetUpdate),
		Validate:       resource.Typed(validateReplicaSet),
		ChecksNameOnce: true,
		ValidateUpdate: resource.Typed2(validateReplicaSetUpdate),
		Warnings:       warnings(func(o *appsv1.ReplicaSet) *corev1.PodTemplateSpec { return &o.Spec.Template }),

		AllowUnconditionalUpdate: true,
		Status: &resource.Subresource{
			Name: "status", Verbs: []string{"get", "patch", "update"},
			PrepareUpdate: resource.Do2(prepareReplicaSetStatus), ValidateUpdate: resource.Typed2(validateReplicaSetStatus),
		},
		Scale: &resource.Scale{
			Get: func(obj resource.Object) (replicas, status int32, selector string) {
				rs := obj.(*appsv1.ReplicaSet)
				return replicasOf(rs.Spec.Replicas), rs.Status.Replicas, selectorText(rs.Spec.Selector)
			},
			Set:      func(obj resource.Object, replicas int32) { obj.(*appsv1.ReplicaSet).Spec.Replicas = &replicas },
			SpecPath: ".spec.replicas", StatusPath: ".status.replicas",
		},
		Columns: []resource.Column{
			meta.Name(),
			meta.Number("Desired", appsv1.ReplicaSetSpec{}.SwaggerDoc()["replicas"]),
			meta.Number("Current", appsv1.ReplicaSetStatus{}.SwaggerDoc()["replicas"]),
			meta.Number("Ready", appsv1.ReplicaSetStatus{}.SwaggerDoc()["readyReplicas"]),
			meta.Age(),
			podspec.ContainersColumn(), podspec.ImagesColumn(),
			meta.Wide("Selector", appsv1.ReplicaSetSpec{}.SwaggerDoc()["selector"]),
		},
		Row: resource.Typed(replicaSetRow),
	}
}

func replicaSetRow(rs *appsv1.ReplicaSet) []any {
	names, images := podspec.ContainerCells(rs.Spec.Template.Spec.Containers)
	return []any{
		rs.Name, int64(replicasOf(rs.Spec.Replicas)), int64(rs.Status.Replicas), int64(rs.Status.ReadyReplicas),
		meta.Since(rs.CreationTimestamp), names, images, metav1.FormatLabelSelector(rs.Spec.Selector),
	}
}

func defaultReplicaSet(rs *appsv1.ReplicaSet) {
	defaultInt(&rs.Spec.Replicas, 1)
	podspec.DefaultTemplate(&rs.Spec.Template)
}

func prepareReplicaSetCreate(rs *appsv1.ReplicaSet) {
	rs.Generation = 1
	rs.Status = appsv1.ReplicaSetStatus{}
	podspec.DropDisabled(&rs.Spec.Template.Spec)
}

func prepareReplicaSetUpdate(rs, old *appsv1.ReplicaSet) {
	rs.Status = *old.Status.DeepCopy()
	podspec.DropDisabled(&rs.Spec.Template.Spec)
	meta.CountGeneration(rs, old, !equality.Semantic.DeepEqual(rs.Spec, old.Spec))
}

func prepareReplicaSetStatus(rs, old *appsv1.ReplicaSet) {
	rs.Spec = *old.Spec.DeepCopy()
	rs.Generation = old.Generation
}
