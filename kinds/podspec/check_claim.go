package podspec

import (
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
)

func (c *checker) checkEphemeralVolume(path *field.Path, s *corev1.EphemeralVolumeSource) {
	path = path.Child("volumeClaimTemplate")
	template := s.VolumeClaimTemplate
	if template == nil {
		c.required(path, "")
		return
	}
	at := path.Child("metadata")
	c.addAll(validation.ValidateAnnotations(template.Annotations, at.Child("annotations")))
	c.addAll(metav1validation.ValidateLabels(template.Labels, at.Child("labels")))
	c.forbidOthers(at, template.ObjectMeta, "cannot be set", map[string]bool{"Annotations": true, "Labels": true})
	c.addAll(ValidateClaimSpec(&template.Spec, path.Child("spec")))
}

// ValidateClaimSpec says what is wrong with a claim for storage, of a pod, of a stateful set, or by itself.
func ValidateClaimSpec(spec *corev1.PersistentVolumeClaimSpec, path *field.Path) field.ErrorList {
	c := newChecker(nil)
	c.checkAccessModes(path.Child("accessModes"), spec.AccessModes, func() {
		if spec.Selector != nil {
			c.addAll(metav1validation.ValidateLabelSelector(spec.Selector, metav1validation.LabelSelectorValidationOptions{}, path.Child("selector")))
		}
	})
	at := path.Child("resources").Key(string(corev1.ResourceStorage))
	if size, ok := spec.Resources.Requests[corev1.ResourceStorage]; !ok {
		c.required(at, "")
	} else if size.Sign() <= 0 {
		c.invalid(at, size.String(), "must be greater than zero")
	}
	if name := spec.StorageClassName; name != nil && *name != "" {
		c.each(path.Child("storageClassName"), *name, validation.NameIsDNSSubdomain(*name, false))
	}
	if spec.VolumeMode != nil {
		oneOf(c, path.Child("volumeMode"), *spec.VolumeMode, corev1.PersistentVolumeBlock, corev1.PersistentVolumeFilesystem)
	}
	c.checkDataSources(path, spec)
	if name := spec.VolumeAttributesClassName; name != nil && *name != "" {
		c.each(path.Child("volumeAttributesClassName"), *name, validation.NameIsDNSSubdomain(*name, false))
	}
	return c.errs
}

// checkAccessModes runs between after the first of its rules: users see the errors in upstream's order.
func (c *checker) checkAccessModes(path *field.Path, modes []corev1.PersistentVolumeAccessMode, between func()) {
	if len(modes) == 0 {
		c.required(path, "at least 1 access mode is required")
	}
	between()
	known := []corev1.PersistentVolumeAccessMode{corev1.ReadOnlyMany, corev1.ReadWriteMany, corev1.ReadWriteOnce, corev1.ReadWriteOncePod}
	alone, others := false, false
	for _, mode := range modes {
		oneOf(c, path, mode, known...)
		alone = alone || mode == corev1.ReadWriteOncePod
		others = others || mode != corev1.ReadWriteOncePod && slices.Contains(known, mode)
	}
	c.forbidIf(alone && others, path, "may not use ReadWriteOncePod with other access modes")
}

func (c *checker) checkDataSources(path *field.Path, spec *corev1.PersistentVolumeClaimSpec) {
	source, ref := spec.DataSource, spec.DataSourceRef
	if source != nil {
		c.checkDataSource(path.Child("dataSource"), source.APIGroup, source.Kind, source.Name)
	}
	if ref != nil {
		c.checkDataSource(path.Child("dataSourceRef"), ref.APIGroup, ref.Kind, ref.Name)
		if ref.Namespace != nil && *ref.Namespace != "" {
			c.addAll(meta.Each(path.Child("dataSourceRef", "namespace"), *ref.Namespace, validation.ValidateNamespaceName(*ref.Namespace, false)))
		}
	}
	if source == nil || ref == nil {
		return
	}
	switch at := path.Child("dataSource"); {
	case ref.Namespace != nil && *ref.Namespace != "":
		c.invalid(path, at, "may not be specified when dataSourceRef.namespace is specified")
	case !reflect.DeepEqual(source.APIGroup, ref.APIGroup) || source.Kind != ref.Kind || source.Name != ref.Name:
		c.invalid(path, at, "must match dataSourceRef")
	}
}

func (c *checker) checkDataSource(path *field.Path, group *string, kind, name string) {
	c.notEmpty(path.Child("name"), name)
	c.notEmpty(path.Child("kind"), kind)
	if group == nil || *group == "" {
		if kind != "PersistentVolumeClaim" {
			c.invalid(path, kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup")
		}
		return
	}
	c.each(path.Child("apiGroup"), *group, utilvalidation.IsDNS1123Subdomain(*group))
}
