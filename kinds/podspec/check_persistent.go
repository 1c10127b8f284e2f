package podspec

import (
	"path"

	corev1 "k8s.io/api/core/v1"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
)

// inlineDetail refuses what only a volume with an object of its own has.
const inlineDetail = "may not be specified in the context of inline volumes"

// ValidateVolumeSpec says what is wrong with a persistent volume of a name. An inline one is part of a VolumeAttachment.
func ValidateVolumeSpec(spec *corev1.PersistentVolumeSpec, name string, path *field.Path, inline bool) field.ErrorList {
	c := newChecker(nil)
	if inline {
		c.forbidIf(spec.ClaimRef != nil, path.Child("claimRef"), inlineDetail)
		c.forbidIf(len(spec.Capacity) > 0, path.Child("capacity"), inlineDetail)
		if spec.CSI == nil {
			c.required(path.Child("csi"), "has to be specified in the context of inline volumes")
		}
	}
	c.checkVolumeModes(path.Child("accessModes"), spec.AccessModes)
	if inline {
		policy := spec.PersistentVolumeReclaimPolicy
		c.forbidIf(policy != "" && policy != corev1.PersistentVolumeReclaimRetain, path.Child("persistentVolumeReclaimPolicy"),
			"may only be Retain in the context of inline volumes")
		c.forbidIf(spec.NodeAffinity != nil, path.Child("nodeAffinity"), inlineDetail)
	} else {
		c.checkCapacity(path.Child("capacity"), spec.Capacity)
		if spec.PersistentVolumeReclaimPolicy != "" {
			oneOf(c, path.Child("persistentVolumeReclaimPolicy"), spec.PersistentVolumeReclaimPolicy, corev1.PersistentVolumeReclaimDelete,
				corev1.PersistentVolumeReclaimRecycle, corev1.PersistentVolumeReclaimRetain)
		}
		c.checkVolumeNodes(path.Child("nodeAffinity"), spec.NodeAffinity)
	}
	c.checkPersistentSource(path, name, &spec.PersistentVolumeSource, spec.NodeAffinity)
	c.checkVolumeClasses(path, spec, inline)
	return c.errs
}

func (c *checker) checkVolumeModes(path *field.Path, modes []corev1.PersistentVolumeAccessMode) {
	if len(modes) == 0 {
		c.required(path, "")
		return
	}
	c.checkAccessModes(path, modes, func() {})
}

func (c *checker) checkCapacity(path *field.Path, capacity corev1.ResourceList) {
	if len(capacity) == 0 {
		c.required(path, "")
	}
	if _, ok := capacity[corev1.ResourceStorage]; !ok || len(capacity) > 1 {
		c.add(field.NotSupported(path, capacity, []corev1.ResourceName{corev1.ResourceStorage}))
	}
	for _, name := range meta.Sorted(capacity) {
		size := capacity[name]
		c.addAll(meta.BasicQuantity(path.Key(string(name)), size))
		if size.Sign() <= 0 {
			c.invalid(path.Key(string(name)), size.String(), "must be greater than zero")
		}
	}
}

func (c *checker) checkVolumeNodes(path *field.Path, affinity *corev1.VolumeNodeAffinity) {
	switch {
	case affinity == nil:
	case affinity.Required == nil:
		c.required(path.Child("required"), "must specify required node constraints")
	default:
		c.addAll(ValidateNodeSelector(affinity.Required, path.Child("required")))
	}
}

// ValidateNodeSelector says what is wrong with terms of which a node has to meet one.
func ValidateNodeSelector(selector *corev1.NodeSelector, path *field.Path) field.ErrorList {
	c := newChecker(nil)
	path = path.Child("nodeSelectorTerms")
	if len(selector.NodeSelectorTerms) == 0 {
		c.required(path, "must have at least one node selector term")
	}
	for i := range selector.NodeSelectorTerms {
		c.checkNodeTerm(path.Index(i), &selector.NodeSelectorTerms[i], true)
	}
	return c.errs
}

func (c *checker) checkVolumeClasses(at *field.Path, spec *corev1.PersistentVolumeSpec, inline bool) {
	recycle := spec.PersistentVolumeReclaimPolicy == corev1.PersistentVolumeReclaimRecycle
	c.forbidIf(recycle && spec.HostPath != nil && path.Clean(spec.HostPath.Path) == "/", at.Child("persistentVolumeReclaimPolicy"),
		"may not be 'recycle' for a hostPath mount of '/'")
	if inline {
		c.forbidIf(spec.StorageClassName != "", at.Child("storageClassName"), inlineDetail)
		c.forbidIf(spec.VolumeMode != nil && *spec.VolumeMode != corev1.PersistentVolumeFilesystem, at.Child("volumeMode"),
			"may not specify volumeMode other than Filesystem in the context of inline volumes")
	} else {
		if name := spec.StorageClassName; name != "" {
			c.each(at.Child("storageClassName"), name, utilvalidation.IsDNS1123Subdomain(name))
		}
		if spec.VolumeMode != nil {
			oneOf(c, at.Child("volumeMode"), *spec.VolumeMode, corev1.PersistentVolumeBlock, corev1.PersistentVolumeFilesystem)
		}
	}
	if name := spec.VolumeAttributesClassName; name != nil && !inline {
		if *name == "" {
			c.required(at.Child("volumeAttributesClassName"), "an empty string is disallowed")
		} else {
			c.each(at.Child("volumeAttributesClassName"), *name, utilvalidation.IsDNS1123Subdomain(*name))
		}
		if spec.CSI == nil {
			c.required(at.Child("csi"), "has to be specified when using volumeAttributesClassName")
		}
	}
}
