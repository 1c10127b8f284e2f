package storage

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/runtime"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/podspec"
	"proa/kinds/resource"
)

// VolumeAttachment is the row of volumeattachments: the wish that a volume be attached to a node, and whether it is.
func VolumeAttachment() *resource.Resource {
	spec := storagev1.VolumeAttachmentSpec{}.SwaggerDoc()
	return &resource.Resource{
		Group: storagev1.GroupName, Version: "v1", Name: "volumeattachments", Singular: "volumeattachment", Kind: "VolumeAttachment",
		New:     func() resource.Object { return &storagev1.VolumeAttachment{} },
		NewList: func() runtime.Object { return &storagev1.VolumeAttachmentList{} },
		Default: resource.Do(func(a *storagev1.VolumeAttachment) {
			if s := a.Spec.Source.InlineVolumeSpec; s != nil && s.VolumeMode == nil {
				s.VolumeMode = new(corev1.PersistentVolumeFilesystem)
			}
		}),
		PrepareCreate: resource.Do(func(a *storagev1.VolumeAttachment) { a.Status = storagev1.VolumeAttachmentStatus{} }),
		PrepareUpdate: resource.Do2(func(a, old *storagev1.VolumeAttachment) { a.Status = *old.Status.DeepCopy() }),
		Validate:      resource.Typed(validateAttachment),
		ValidateUpdate: resource.Typed2(func(a, old *storagev1.VolumeAttachment) field.ErrorList {
			return append(validateAttachment(a), validation.ValidateImmutableField(a.Spec, old.Spec, field.NewPath("spec"))...)
		}),
		Reset: map[string][]string{"status": {"metadata", "spec"}},
		Status: &resource.Subresource{
			Name: "status",
			PrepareUpdate: resource.Do2(func(a, old *storagev1.VolumeAttachment) {
				a.Spec = *old.Spec.DeepCopy()
				a.Labels, a.Annotations = maps.Clone(old.Labels), maps.Clone(old.Annotations)
				a.Finalizers, a.OwnerReferences = old.DeepCopy().Finalizers, old.DeepCopy().OwnerReferences
			}),
			ValidateUpdate: resource.Typed2(func(a, _ *storagev1.VolumeAttachment) field.ErrorList { return validateAttachment(a) }),
		},
		Columns: []resource.Column{
			meta.Name(),
			{Name: "Attacher", Type: "string", Format: "name", Description: spec["attacher"]},
			meta.Column("PV", storagev1.VolumeAttachmentSource{}.SwaggerDoc()["persistentVolumeName"]),
			meta.Column("Node", spec["nodeName"]),
			{Name: "Attached", Type: "boolean", Description: storagev1.VolumeAttachmentStatus{}.SwaggerDoc()["attached"]},
			meta.Age(),
		},
		Row: resource.Typed(func(a *storagev1.VolumeAttachment) []any {
			return []any{a.Name, a.Spec.Attacher, text(a.Spec.Source.PersistentVolumeName, ""), a.Spec.NodeName, a.Status.Attached, meta.Since(a.CreationTimestamp)}
		}),
	}
}

func validateAttachment(a *storagev1.VolumeAttachment) field.ErrorList {
	path := field.NewPath("spec")
	errs := podspec.ValidateDriverName(a.Spec.Attacher, path.Child("attacher"))
	errs = append(errs, validateAttachmentSource(&a.Spec.Source, path.Child("source"))...)
	errs = append(errs, meta.Each(path.Child("nodeName"), a.Spec.NodeName, utilvalidation.IsDNS1123Subdomain(a.Spec.NodeName))...)
	errs = append(errs, validateAttachmentStatus(&a.Status, field.NewPath("status"))...)
	if name := a.Spec.Source.PersistentVolumeName; name != nil {
		errs = append(errs, meta.Each(field.NewPath("spec.source.persistentVolumeName"), *name, utilvalidation.IsDNS1123Subdomain(*name))...)
	}
	return errs
}

func validateAttachmentSource(s *storagev1.VolumeAttachmentSource, path *field.Path) field.ErrorList {
	const detail = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
	switch {
	case s.InlineVolumeSpec == nil && s.PersistentVolumeName == nil:
		return field.ErrorList{field.Required(path, detail)}
	case s.InlineVolumeSpec != nil && s.PersistentVolumeName != nil:
		return field.ErrorList{field.Forbidden(path, detail)}
	case s.InlineVolumeSpec != nil:
		return podspec.ValidateVolumeSpec(s.InlineVolumeSpec, "", path.Child("inlineVolumeSpec"), true)
	case *s.PersistentVolumeName == "":
		return field.ErrorList{field.Required(path.Child("persistentVolumeName"), "must specify non empty persistentVolumeName")}
	}
	return nil
}

// Bounds of what an attacher reports, in bytes.
const (
	longestMetadata = 256 << 10
	longestError    = 1024
)

func validateAttachmentStatus(s *storagev1.VolumeAttachmentStatus, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	size := 0
	for key, value := range s.AttachmentMetadata {
		size += len(key) + len(value)
	}
	if size > longestMetadata {
		errs = append(errs, field.TooLong(path.Child("attachmentMetadata"), "", longestMetadata))
	}
	for name, e := range map[string]*storagev1.VolumeError{"attachError": s.AttachError, "detachError": s.DetachError} {
		if e != nil && len(e.Message) > longestError {
			errs = append(errs, field.TooLong(path.Child(name, "message"), "", longestMetadata))
		}
		if e != nil && e.ErrorCode != nil && *e.ErrorCode < 0 {
			errs = append(errs, field.Invalid(path.Child(name, "errorCode"), *e.ErrorCode, utilvalidation.InclusiveRangeError(0, 1<<31-1)))
		}
	}
	return errs
}

// VolumeAttributesClass is the row of volumeattributesclasses: qualities of a volume that may change while it lives.
func VolumeAttributesClass() *resource.Resource {
	return &resource.Resource{
		Group: storagev1.GroupName, Version: "v1", Name: "volumeattributesclasses", Singular: "volumeattributesclass", Kind: "VolumeAttributesClass",
		ShortNames: []string{"vac"},
		New:        func() resource.Object { return &storagev1.VolumeAttributesClass{} },
		NewList:    func() runtime.Object { return &storagev1.VolumeAttributesClassList{} },
		Validate:   resource.Typed(validateAttributesClass),
		ValidateChange: resource.Typed2(func(c, old *storagev1.VolumeAttributesClass) field.ErrorList {
			var errs field.ErrorList
			if c.DriverName != old.DriverName {
				errs = append(errs, field.Forbidden(field.NewPath("driverName"), "updates to driverName are forbidden."))
			}
			if !maps.Equal(c.Parameters, old.Parameters) {
				errs = append(errs, field.Forbidden(field.NewPath("parameters"), "updates to parameters are forbidden."))
			}
			return errs
		}),
		ValidateUpdate:           resource.Typed2(func(c, _ *storagev1.VolumeAttributesClass) field.ErrorList { return validateAttributesClass(c) }),
		NameLast:                 true,
		AllowUnconditionalUpdate: true,
		Columns:                  []resource.Column{meta.Name(), meta.Column("DriverName", storagev1.VolumeAttributesClass{}.SwaggerDoc()["driverName"]), meta.Age()},
		Row: resource.Typed(func(c *storagev1.VolumeAttributesClass) []any {
			return []any{c.Name, c.DriverName, meta.Since(c.CreationTimestamp)}
		}),
	}
}

func validateAttributesClass(c *storagev1.VolumeAttributesClass) field.ErrorList {
	return append(validateProvisioner(c.DriverName, field.NewPath("driverName")), validateParameters(c.Parameters, false)...)
}
