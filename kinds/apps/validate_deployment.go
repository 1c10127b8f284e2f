package apps

import (
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func validateDeployment(d *appsv1.Deployment) field.ErrorList {
	path, spec := field.NewPath("spec"), &d.Spec
	errs := notNegative(path.Child("replicas"), replicasOf(spec.Replicas))
	errs = append(errs, validateSelector(spec.Selector, path.Child("selector"), "deployment")...)
	errs = append(errs, validateReplicaTemplate(&spec.Template, spec.Selector, path)...)
	errs = append(errs, validateDeploymentStrategy(&spec.Strategy, path.Child("strategy"))...)
	errs = append(errs, notNegative(path.Child("minReadySeconds"), spec.MinReadySeconds)...)
	if limit := spec.RevisionHistoryLimit; limit != nil {
		errs = append(errs, notNegative(path.Child("revisionHistoryLimit"), *limit)...)
	}
	if deadline := spec.ProgressDeadlineSeconds; deadline != nil {
		at := path.Child("progressDeadlineSeconds")
		errs = append(errs, notNegative(at, *deadline)...)
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
	updated, ready := count{"updatedReplicas", int64(s.UpdatedReplicas)}, count{"readyReplicas", int64(s.ReadyReplicas)}
	available := count{"availableReplicas", int64(s.AvailableReplicas)}
	errs := notNegatives(path, count{"observedGeneration", s.ObservedGeneration}, count{"replicas", int64(s.Replicas)},
		updated, ready, available, count{"unavailableReplicas", int64(s.UnavailableReplicas)},
		optional("terminatingReplicas", s.TerminatingReplicas), optional("collisionCount", s.CollisionCount))
	errs = append(errs, atMost(path, s.Replicas, "cannot be greater than status.replicas", updated, ready, available)...)
	errs = append(errs, atMost(path, s.ReadyReplicas, "cannot be greater than readyReplicas", available)...)
	return append(errs, notDecremented(path.Child("collisionCount"), s.CollisionCount, old.Status.CollisionCount)...)
}

func validateReplicaSetUpdate(rs, old *appsv1.ReplicaSet) field.ErrorList {
	return append(validateReplicaSet(rs), validation.ValidateImmutableField(rs.Spec.Selector, old.Spec.Selector, field.NewPath("spec", "selector"))...)
}

func validateReplicaSetStatus(rs, _ *appsv1.ReplicaSet) field.ErrorList {
	path, s := field.NewPath("status"), &rs.Status
	labeled, ready := count{"fullyLabeledReplicas", int64(s.FullyLabeledReplicas)}, count{"readyReplicas", int64(s.ReadyReplicas)}
	available := count{"availableReplicas", int64(s.AvailableReplicas)}
	errs := notNegatives(path, count{"replicas", int64(s.Replicas)}, labeled, ready, available,
		count{"observedGeneration", s.ObservedGeneration}, optional("terminatingReplicas", s.TerminatingReplicas))
	errs = append(errs, atMost(path, s.Replicas, "cannot be greater than status.replicas", labeled, ready, available)...)
	return append(errs, atMost(path, s.ReadyReplicas, "cannot be greater than readyReplicas", available)...)
}
