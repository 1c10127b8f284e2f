package apps

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/podspec"
)

func validateStatefulSet(s *appsv1.StatefulSet) field.ErrorList {
	path, spec := field.NewPath("spec"), &s.Spec
	errs := validateStatefulSetPolicies(spec, path)
	for i := range spec.VolumeClaimTemplates {
		errs = append(errs, podspec.ValidateClaimSpec(&spec.VolumeClaimTemplates[i].Spec, path.Child("volumeClaimTemplates").Index(i).Child("spec"))...)
	}
	errs = append(errs, validateStatefulSetNumbers(spec, path)...)
	if spec.ServiceName != "" {
		errs = append(errs, meta.DNSLabel(path.Child("serviceName"), spec.ServiceName)...)
	}
	return append(errs, validateStatefulSetTemplate(spec, path)...)
}

// validateStatefulSetUpdate takes immutable fields as they are: what was accepted once stays accepted.
func validateStatefulSetUpdate(s, old *appsv1.StatefulSet) field.ErrorList {
	path := field.NewPath("spec")
	errs := validateStatefulSetPolicies(&s.Spec, path)
	errs = append(errs, validateStatefulSetNumbers(&s.Spec, path)...)
	errs = append(errs, validateStatefulSetTemplate(&s.Spec, path)...)
	rest := s.Spec.DeepCopy()
	rest.Replicas = old.Spec.Replicas
	rest.Template = old.Spec.Template
	rest.UpdateStrategy = old.Spec.UpdateStrategy
	rest.MinReadySeconds = old.Spec.MinReadySeconds
	rest.Ordinals = old.Spec.Ordinals
	rest.RevisionHistoryLimit = old.Spec.RevisionHistoryLimit
	rest.PersistentVolumeClaimRetentionPolicy = old.Spec.PersistentVolumeClaimRetentionPolicy
	if !equality.Semantic.DeepEqual(*rest, old.Spec) {
		errs = append(errs, field.Forbidden(path, "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "+
			"'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"))
	}
	return errs
}

func validateStatefulSetPolicies(spec *appsv1.StatefulSetSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if p := spec.PodManagementPolicy; p != appsv1.OrderedReadyPodManagement && p != appsv1.ParallelPodManagement {
		errs = append(errs, field.Invalid(path.Child("podManagementPolicy"), p, "must be 'OrderedReady' or 'Parallel'"))
	}
	at, rolling := path.Child("updateStrategy"), spec.UpdateStrategy.RollingUpdate
	switch spec.UpdateStrategy.Type {
	case appsv1.OnDeleteStatefulSetStrategyType:
		if rolling != nil {
			errs = append(errs, field.Invalid(at.Child("rollingUpdate"), rolling, "only allowed for updateStrategy 'RollingUpdate'"))
		}
	case appsv1.RollingUpdateStatefulSetStrategyType:
		if rolling != nil {
			errs = append(errs, validateRollingStatefulSet(rolling, at.Child("rollingUpdate"))...)
		}
	default:
		errs = append(errs, field.Invalid(at, shown(spec.UpdateStrategy.Type, rolling), "must be 'RollingUpdate' or 'OnDelete'"))
	}
	if r := spec.PersistentVolumeClaimRetentionPolicy; r != nil {
		at := path.Child("persistentVolumeClaimRetentionPolicy")
		errs = append(errs, validateRetention(at.Child("whenDeleted"), r.WhenDeleted)...)
		errs = append(errs, validateRetention(at.Child("whenScaled"), r.WhenScaled)...)
	}
	return errs
}

// validateRollingStatefulSet lets maxUnavailable pass, which upstream's v1.36 knows but has switched off by default (KEP-961,
// beta): who sets it means it, and who does not is given none.
func validateRollingStatefulSet(rolling *appsv1.RollingUpdateStatefulSetStrategy, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if rolling.Partition != nil {
		errs = append(errs, meta.NotNegative(path.Child("partition"), *rolling.Partition)...)
	}
	if share := rolling.MaxUnavailable; share != nil {
		at := path.Child("maxUnavailable")
		errs = append(errs, validateShare(at, share)...)
		if isZero(share) {
			errs = append(errs, field.Invalid(at, *share, "cannot be 0"))
		}
		errs = append(errs, atMostAll(at, share)...)
	}
	return errs
}

func validateRetention(path *field.Path, policy appsv1.PersistentVolumeClaimRetentionPolicyType) field.ErrorList {
	switch policy {
	case appsv1.RetainPersistentVolumeClaimRetentionPolicyType, appsv1.DeletePersistentVolumeClaimRetentionPolicyType:
		return nil
	}
	return field.ErrorList{field.NotSupported(path, policy, []string{"Retain", "Delete"})}
}

func validateStatefulSetNumbers(spec *appsv1.StatefulSetSpec, path *field.Path) field.ErrorList {
	errs := meta.NotNegative(path.Child("replicas"), replicasOf(spec.Replicas))
	errs = append(errs, meta.NotNegative(path.Child("minReadySeconds"), spec.MinReadySeconds)...)
	if spec.Ordinals != nil {
		errs = append(errs, meta.NotNegative(path.Child("ordinals.start"), spec.Ordinals.Start)...)
	}
	return errs
}

func validateStatefulSetTemplate(spec *appsv1.StatefulSetSpec, path *field.Path) field.ErrorList {
	errs := validateSelector(spec.Selector, path.Child("selector"), "statefulset")
	errs = append(errs, validateTemplate(podOfSet(spec), spec.Selector, path, "")...)
	return append(errs, podspec.ValidateRunsForever(&spec.Template.Spec, path.Child("template", "spec"), "StatefulSet")...)
}

// podOfSet is the template as the controller completes it: names are the set's to give, and each claim template is a
// volume of its name.
func podOfSet(spec *appsv1.StatefulSetSpec) *corev1.PodTemplateSpec {
	template := spec.Template.DeepCopy()
	template.Spec.Hostname, template.Spec.Subdomain = "", ""
	var volumes []corev1.Volume
	claimed := map[string]bool{}
	for _, claim := range spec.VolumeClaimTemplates {
		if claimed[claim.Name] {
			continue
		}
		claimed[claim.Name] = true
		source := &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim.Name}
		volumes = append(volumes, corev1.Volume{Name: claim.Name, VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: source}})
	}
	for _, volume := range template.Spec.Volumes {
		if !claimed[volume.Name] {
			volumes = append(volumes, volume)
		}
	}
	template.Spec.Volumes = volumes
	return template
}

func validateStatefulSetStatus(s, old *appsv1.StatefulSet) field.ErrorList {
	path, status := field.NewPath("status"), &s.Status
	ready, current := meta.CountOf("readyReplicas", status.ReadyReplicas), meta.CountOf("currentReplicas", status.CurrentReplicas)
	updated, available := meta.CountOf("updatedReplicas", status.UpdatedReplicas), meta.CountOf("availableReplicas", status.AvailableReplicas)
	errs := meta.NotNegatives(path, meta.CountOf("replicas", status.Replicas), ready, current, updated, available,
		meta.CountOf("observedGeneration", status.ObservedGeneration), meta.Optional("collisionCount", status.CollisionCount))
	errs = append(errs, meta.AtMost(path, status.Replicas, "cannot be greater than status.replicas", ready, current, updated, available)...)
	errs = append(errs, meta.AtMost(path, status.ReadyReplicas, "cannot be greater than status.readyReplicas", available)...)
	return append(errs, meta.NotDecremented(path.Child("collisionCount"), status.CollisionCount, old.Status.CollisionCount)...)
}
