package apps

import (
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
)

func validateDeployment(d *appsv1.Deployment) field.ErrorList {
	path, spec := field.NewPath("spec"), &d.Spec
	errs := meta.NotNegative(path.Child("replicas"), replicasOf(spec.Replicas))
	errs = append(errs, validateSelector(spec.Selector, path.Child("selector"), "deployment")...)
	errs = append(errs, validateReplicaTemplate(&spec.Template, spec.Selector, path)...)
	errs = append(errs, validateDeploymentStrategy(&spec.Strategy, path.Child("strategy"))...)
	errs = append(errs, meta.NotNegative(path.Child("minReadySeconds"), spec.MinReadySeconds)...)
	if limit := spec.RevisionHistoryLimit; limit != nil {
		errs = append(errs, meta.NotNegative(path.Child("revisionHistoryLimit"), *limit)...)
	}
	if deadline := spec.ProgressDeadlineSeconds; deadline != nil {
		at := path.Child("progressDeadlineSeconds")
		errs = append(errs, meta.NotNegative(at, *deadline)...)
		if *deadline <= spec.MinReadySeconds {
			errs = append(errs, field.Invalid(at, *deadline, "must be greater than minReadySeconds"))
		}
	}
	return errs
}

func validateDeploymentUpdate(d, old *appsv1.Deployment) field.ErrorList {
	return append(validateDeployment(d), validation.ValidateImmutableField(d.Spec.Selector, old.Spec.Selector, field.NewPath("spec", "selector"))...)
}

func validateDeploymentStatus(d, old *appsv1.Deployment) field.ErrorList {
	path, s := field.NewPath("status"), &d.Status
	updated, ready := meta.CountOf("updatedReplicas", s.UpdatedReplicas), meta.CountOf("readyReplicas", s.ReadyReplicas)
	available := meta.CountOf("availableReplicas", s.AvailableReplicas)
	errs := meta.NotNegatives(path, meta.CountOf("observedGeneration", s.ObservedGeneration), meta.CountOf("replicas", s.Replicas),
		updated, ready, available, meta.CountOf("unavailableReplicas", s.UnavailableReplicas),
		meta.Optional("terminatingReplicas", s.TerminatingReplicas), meta.Optional("collisionCount", s.CollisionCount))
	errs = append(errs, meta.AtMost(path, s.Replicas, "cannot be greater than status.replicas", updated, ready, available)...)
	errs = append(errs, meta.AtMost(path, s.ReadyReplicas, "cannot be greater than readyReplicas", available)...)
	return append(errs, meta.NotDecremented(path.Child("collisionCount"), s.CollisionCount, old.Status.CollisionCount)...)
}

func validateReplicaSetUpdate(rs, old *appsv1.ReplicaSet) field.ErrorList {
	return append(validateReplicaSet(rs), validation.ValidateImmutableField(rs.Spec.Selector, old.Spec.Selector, field.NewPath("spec", "selector"))...)
}

func validateReplicaSetStatus(rs, _ *appsv1.ReplicaSet) field.ErrorList {
	path, s := field.NewPath("status"), &rs.Status
	labeled, ready := meta.CountOf("fullyLabeledReplicas", s.FullyLabeledReplicas), meta.CountOf("readyReplicas", s.ReadyReplicas)
	available := meta.CountOf("availableReplicas", s.AvailableReplicas)
	errs := meta.NotNegatives(path, meta.CountOf("replicas", s.Replicas), labeled, ready, available,
		meta.CountOf("observedGeneration", s.ObservedGeneration), meta.Optional("terminatingReplicas", s.TerminatingReplicas))
	errs = append(errs, meta.AtMost(path, s.Replicas, "cannot be greater than status.replicas", labeled, ready, available)...)
	return append(errs, meta.AtMost(path, s.ReadyReplicas, "cannot be greater than readyReplicas", available)...)
}
