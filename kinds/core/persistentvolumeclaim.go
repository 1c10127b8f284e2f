package core

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/diff"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/podspec"
	"proa/kinds/resource"
)

// PersistentVolumeClaim is the row of persistentvolumeclaims.
func PersistentVolumeClaim() *resource.Resource {
	spec, status := corev1.PersistentVolumeClaimSpec{}.SwaggerDoc(), corev1.PersistentVolumeClaimStatus{}.SwaggerDoc()
	return &resource.Resource{
		Version: "v1", Name: "persistentvolumeclaims", Singular: "persistentvolumeclaim", Kind: "PersistentVolumeClaim", ShortNames: []string{"pvc"},
		Namespaced: true,
		New:        func() resource.Object { return &corev1.PersistentVolumeClaim{} },
		NewList:    func() runtime.Object { return &corev1.PersistentVolumeClaimList{} },
		Default:    resource.Do(defaultClaim),
		PrepareCreate: resource.Do(func(c *corev1.PersistentVolumeClaim) {
			c.Status = corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimPending}
			normalizeSources(&c.Spec, nil)
		}),
		PrepareUpdate: resource.Do2(func(c, old *corev1.PersistentVolumeClaim) {
			c.Status = *old.Status.DeepCopy()
			normalizeSources(&c.Spec, &old.Spec)
		}),
		Validate: resource.Typed(func(c *corev1.PersistentVolumeClaim) field.ErrorList {
			return podspec.ValidateClaimSpec(&c.Spec, field.NewPath("spec"))
		}),
		ValidateUpdate:           resource.Typed2(validateClaimUpdate),
		NameLast:                 true,
		Warnings:                 claimWarnings,
		AllowUnconditionalUpdate: true,
		Status: &resource.Subresource{
			Name:           "status",
			PrepareUpdate:  resource.Do2(func(c, old *corev1.PersistentVolumeClaim) { c.Spec = *old.Spec.DeepCopy() }),
			ValidateUpdate: resource.Typed2(validateClaimStatus),
		},
		Columns: []resource.Column{
			meta.Name(),
			meta.Column("Status", status["phase"]),
			meta.Column("Volume", spec["volumeName"]),
			meta.Column("Capacity", status["capacity"]),
			meta.Column("Access Modes", status["accessModes"]),
			meta.Column("StorageClass", "StorageClass of the pvc"),
			meta.Column("VolumeAttributesClass", "VolumeAttributesClass of the pvc"),
			meta.Age(),
			meta.Wide("VolumeMode", spec["volumeMode"]),
		},
		Row: resource.Typed(claimRow),
	}
}

func defaultClaim(c *corev1.PersistentVolumeClaim) {
	if c.Status.Phase == "" {
		c.Status.Phase = corev1.ClaimPending
	}
	podspec.DefaultClaimSpec(&c.Spec)
	meta.RoundUp(c.Status.Capacity)
	meta.RoundUp(c.Status.AllocatedResources)
}

// normalizeSources keeps the two fields that say where a claim's first content comes from alike. The older one takes
// claims and snapshots only; anything else in it is dropped, as it always was. A source in another namespace is not
// supported.
func normalizeSources(spec, old *corev1.PersistentVolumeClaimSpec) {
	if ref := spec.DataSourceRef; ref != nil && ref.Namespace != nil && *ref.Namespace != "" && (old == nil || old.DataSourceRef == nil) {
		spec.DataSourceRef = nil
	}
	had := old != nil && (old.DataSource != nil || old.DataSourceRef != nil)
	if !had && spec.DataSourceRef == nil && !isClaimOrSnapshot(spec.DataSource) {
		spec.DataSource = nil
	}
	switch source, ref := spec.DataSource, spec.DataSourceRef; {
	case source != nil && ref == nil:
		spec.DataSourceRef = &corev1.TypedObjectReference{APIGroup: source.APIGroup, Kind: source.Kind, Name: source.Name}
	case source == nil && ref != nil && (ref.Namespace == nil || *ref.Namespace == ""):
		spec.DataSource = &corev1.TypedLocalObjectReference{APIGroup: ref.APIGroup, Kind: ref.Kind, Name: ref.Name}
	}
}

func isClaimOrSnapshot(source *corev1.TypedLocalObjectReference) bool {
	if source == nil {
		return false
	}
	group := ""
	if source.APIGroup != nil {
		group = *source.APIGroup
	}
	return source.Kind == "PersistentVolumeClaim" && group == "" || source.Kind == "VolumeSnapshot" && group == "snapshot.storage.k8s.io"
}

// validateClaimUpdate: a claim is bound once; a bound one may ask for more room, or for another attributes class.
func validateClaimUpdate(c, old *corev1.PersistentVolumeClaim) field.ErrorList {
	path := field.NewPath("spec")
	errs := podspec.ValidateClaimSpec(&c.Spec, path)
	now, before := c.Spec.DeepCopy(), old.Spec.DeepCopy()
	if before.VolumeName == "" {
		before.VolumeName = now.VolumeName
	}
	annotated, isAnnotated := old.Annotations[corev1.BetaStorageClassAnnotation]
	switch named := before.StorageClassName == nil && now.StorageClassName != nil; {
	case named && (!isAnnotated || *now.StorageClassName == annotated): // a class may be filled in later
		now.StorageClassName = nil
	case c.Annotations[corev1.BetaStorageClassAnnotation] != annotated:
		errs = append(errs, field.Invalid(field.NewPath("metadata", "annotations").Key(corev1.BetaStorageClassAnnotation),
			c.Annotations[corev1.BetaStorageClassAnnotation], "field is immutable"))
	}
	if c.Status.Phase == corev1.ClaimBound {
		if now.Resources.Requests != nil {
			now.Resources.Requests[corev1.ResourceStorage] = old.Spec.Resources.Requests[corev1.ResourceStorage]
		}
		now.VolumeAttributesClassName = before.VolumeAttributesClassName
	}
	if !equality.Semantic.DeepEqual(now, before) {
		errs = append(errs, field.Forbidden(path, fmt.Sprintf(
			"spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n%v", diff.Diff(*before, *now))))
	}
	newSize, oldSize, has := c.Spec.Resources.Requests[corev1.ResourceStorage], old.Spec.Resources.Requests[corev1.ResourceStorage], old.Status.Capacity[corev1.ResourceStorage]
	if newSize.Cmp(oldSize) < 0 && newSize.Cmp(has) <= 0 {
		errs = append(errs, field.Forbidden(path.Child("resources", "requests", "storage"), "field can not be less than status.capacity"))
	}
	errs = append(errs, validation.ValidateImmutableField(c.Spec.VolumeMode, old.Spec.VolumeMode, field.NewPath("volumeMode"))...)
	changed := !equality.Semantic.DeepEqual(c.Spec.VolumeAttributesClassName, old.Spec.VolumeAttributesClassName)
	if changed && old.Status.CurrentVolumeAttributesClassName != nil {
		at := path.Child("volumeAttributesClassName")
		if name := c.Spec.VolumeAttributesClassName; name == nil {
			errs = append(errs, field.Forbidden(at, "update to nil is forbidden when status.currentVolumeAttributesClassName is not nil"))
		} else if *name == "" {
			errs = append(errs, field.Forbidden(at, "update to empty string is forbidden when status.currentVolumeAttributesClassName is not nil"))
		}
	}
	return errs
}

var resizeStatuses = []corev1.ClaimResourceStatus{
	corev1.PersistentVolumeClaimControllerResizeInProgress, corev1.PersistentVolumeClaimControllerResizeInfeasible,
	corev1.PersistentVolumeClaimNodeResizePending, corev1.PersistentVolumeClaimNodeResizeInProgress, corev1.PersistentVolumeClaimNodeResizeInfeasible,
}

func validateClaimStatus(c, _ *corev1.PersistentVolumeClaim) field.ErrorList {
	var errs field.ErrorList
	path := field.NewPath("status")
	for _, name := range meta.Sorted(c.Status.Capacity) {
		if size := c.Status.Capacity[name]; size.Sign() < 0 {
			errs = append(errs, field.Invalid(path.Child("capacity").Key(string(name)), size.Value(), "must be a valid resource quantity"))
		}
	}
	at := path.Child("allocatedResourceStatuses")
	for _, name := range meta.Sorted(c.Status.AllocatedResourceStatuses) {
		errs = append(errs, claimResource(at, name)...)
		if status := c.Status.AllocatedResourceStatuses[name]; !slices.Contains(resizeStatuses, status) {
			errs = append(errs, field.NotSupported(at, name, slices.Sorted(slices.Values(resizeStatuses))))
		}
	}
	at = path.Child("allocatedResources")
	for _, name := range meta.Sorted(c.Status.AllocatedResources) {
		if wrong := claimResource(at, name); len(wrong) > 0 {
			errs = append(errs, wrong...)
			continue
		}
		amount := c.Status.AllocatedResources[name]
		if wrong := meta.BasicQuantity(at.Key(string(name)), amount); len(wrong) > 0 {
			errs = append(errs, wrong...)
			continue
		}
		errs = append(errs, meta.Quantity(at.Key(string(name)), corev1.ResourceStorage, amount)...)
	}
	return errs
}

// claimResource wants storage, or a name that has a domain.
func claimResource(path *field.Path, name corev1.ResourceName) field.ErrorList {
	if errs := meta.QualifiedName(path, string(name)); len(errs) > 0 {
		return errs
	}
	if meta.IsNative(name) && name != corev1.ResourceStorage {
		return field.ErrorList{field.NotSupported(path, name, []corev1.ResourceName{corev1.ResourceStorage})}
	}
	return nil
}

func claimWarnings(obj, _ resource.Object) []string {
	c := obj.(*corev1.PersistentVolumeClaim)
	var warnings []string
	if _, set := c.Annotations[corev1.BetaStorageClassAnnotation]; set {
		warnings = append(warnings, fmt.Sprintf(`metadata.annotations[%s]: deprecated since v1.8; use "storageClassName" attribute instead`, corev1.BetaStorageClassAnnotation))
	}
	return append(warnings, podspec.ClaimWarnings(field.NewPath("spec"), &c.Spec)...)
}

func claimRow(c *corev1.PersistentVolumeClaim) []any {
	phase := string(c.Status.Phase)
	if c.DeletionTimestamp != nil {
		phase = "Terminating"
	}
	capacity, modes := "", ""
	if c.Spec.VolumeName != "" {
		size := c.Status.Capacity[corev1.ResourceStorage]
		capacity, modes = size.String(), accessModes(c.Status.AccessModes)
	}
	return []any{
		c.Name, phase, c.Spec.VolumeName, capacity, modes, ClassOfClaim(c), orUnset(c.Spec.VolumeAttributesClassName),
		meta.Since(c.CreationTimestamp), orUnset(c.Spec.VolumeMode),
	}
}

// ClassOfClaim is the storage class that a claim asks for, "" if it names none.
func ClassOfClaim(c *corev1.PersistentVolumeClaim) string {
	if class, set := c.Annotations[corev1.BetaStorageClassAnnotation]; set {
		return class
	}
	if c.Spec.StorageClassName == nil {
		return ""
	}
	return *c.Spec.StorageClassName
}
