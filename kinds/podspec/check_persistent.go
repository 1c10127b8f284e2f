package podspec

import (
	"path"

	corev1 "k8s.io/api/core/v1"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
)

// ValidateVolumeSpec says what is wrong with a persistent volume. An inline one is part of a VolumeAttachment.
func ValidateVolumeSpec(spec *corev1.PersistentVolumeSpec, path *field.Path, inline bool) field.ErrorList {
	c := newChecker(nil)
	if inline {
		c.checkInlineVolume(path, spec)
	}
	c.checkVolumeModes(path.Child("accessModes"), spec.AccessModes)
	if !inline {
		c.checkCapacity(path.Child("capacity"), spec.Capacity)
		if spec.PersistentVolumeReclaimPolicy != "" {
			oneOf(c, path.Child("persistentVolumeReclaimPolicy"), spec.PersistentVolumeReclaimPolicy, corev1.PersistentVolumeReclaimDelete,
				corev1.PersistentVolumeReclaimRecycle, corev1.PersistentVolumeReclaimRetain)
		}
		c.checkVolumeNodes(path.Child("nodeAffinity"), spec.NodeAffinity)
	}
	c.checkPersistentSource(path, spec)
	if !inline {
		c.checkVolumeClasses(path, spec)
	}
	return c.errs
}

// checkInlineVolume: of a volume without an object of its own only the CSI source counts.
func (c *checker) checkInlineVolume(path *field.Path, spec *corev1.PersistentVolumeSpec) {
	const detail = "may not be specified in the context of inline volumes"
	c.forbidIf(spec.ClaimRef != nil, path.Child("claimRef"), detail)
	c.forbidIf(len(spec.Capacity) > 0, path.Child("capacity"), detail)
	if spec.CSI == nil {
		c.required(path.Child("csi"), "has to be specified in the context of inline volumes")
	}
	policy := spec.PersistentVolumeReclaimPolicy
	c.forbidIf(policy != "" && policy != corev1.PersistentVolumeReclaimRetain, path.Child("persistentVolumeReclaimPolicy"),
		"may only be Retain in the context of inline volumes")
	c.forbidIf(spec.NodeAffinity != nil, path.Child("nodeAffinity"), detail)
	c.forbidIf(spec.StorageClassName != "", path.Child("storageClassName"), detail)
	c.forbidIf(spec.VolumeMode != nil && *spec.VolumeMode != corev1.PersistentVolumeFilesystem, path.Child("volumeMode"),
		"may not specify volumeMode other than Filesystem in the context of inline volumes")
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
		if size := capacity[name]; size.Sign() <= 0 {
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

func (c *checker) checkVolumeClasses(at *field.Path, spec *corev1.PersistentVolumeSpec) {
	recycle := spec.PersistentVolumeReclaimPolicy == corev1.PersistentVolumeReclaimRecycle
	c.forbidIf(recycle && spec.HostPath != nil && path.Clean(spec.HostPath.Path) == "/", at.Child("persistentVolumeReclaimPolicy"),
		"may not be 'recycle' for a hostPath mount of '/'")
	if name := spec.StorageClassName; name != "" {
		c.each(at.Child("storageClassName"), name, utilvalidation.IsDNS1123Subdomain(name))
	}
	if spec.VolumeMode != nil {
		oneOf(c, at.Child("volumeMode"), *spec.VolumeMode, corev1.PersistentVolumeBlock, corev1.PersistentVolumeFilesystem)
	}
	if name := spec.VolumeAttributesClassName; name != nil {
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

// checkPersistentSource wants exactly one source. Sources of vendors that no node can mount any more are counted, and
// checked where they are as in a pod.
func (c *checker) checkPersistentSource(path *field.Path, spec *corev1.PersistentVolumeSpec) {
	s := sources{c: c, path: path}
	s.add("hostPath", spec.HostPath != nil, func(path *field.Path) { c.checkHostPath(path, spec.HostPath) })
	c.checkRemoteSources(&s, &corev1.VolumeSource{
		GCEPersistentDisk: spec.GCEPersistentDisk, AWSElasticBlockStore: spec.AWSElasticBlockStore, Flocker: spec.Flocker, Quobyte: spec.Quobyte,
		FC: spec.FC, VsphereVolume: spec.VsphereVolume, PhotonPersistentDisk: spec.PhotonPersistentDisk, PortworxVolume: spec.PortworxVolume,
		AzureDisk: spec.AzureDisk,
	})
	s.add("nfs", spec.NFS != nil, func(path *field.Path) { c.checkNFS(path, spec.NFS) })
	s.add("rbd", spec.RBD != nil, func(path *field.Path) {
		c.requireAny(path.Child("monitors"), spec.RBD.CephMonitors)
		c.notEmpty(path.Child("image"), spec.RBD.RBDImage)
	})
	s.add("cephfs", spec.CephFS != nil, func(path *field.Path) { c.requireAny(path.Child("monitors"), spec.CephFS.Monitors) })
	s.add("glusterfs", spec.Glusterfs != nil, func(path *field.Path) {
		c.notEmpty(path.Child("endpoints"), spec.Glusterfs.EndpointsName)
		c.notEmpty(path.Child("path"), spec.Glusterfs.Path)
	})
	s.add("iscsi", spec.ISCSI != nil, func(path *field.Path) {
		c.notEmpty(path.Child("targetPortal"), spec.ISCSI.TargetPortal)
		c.notEmpty(path.Child("iqn"), spec.ISCSI.IQN)
	})
	s.add("cinder", spec.Cinder != nil, func(path *field.Path) { c.notEmpty(path.Child("volumeID"), spec.Cinder.VolumeID) })
	s.add("flexVolume", spec.FlexVolume != nil, func(path *field.Path) { c.notEmpty(path.Child("driver"), spec.FlexVolume.Driver) })
	s.add("azureFile", spec.AzureFile != nil, func(path *field.Path) {
		c.notEmpty(path.Child("secretName"), spec.AzureFile.SecretName)
		c.notEmpty(path.Child("shareName"), spec.AzureFile.ShareName)
	})
	s.add("scaleIO", spec.ScaleIO != nil, func(path *field.Path) { c.notEmpty(path.Child("gateway"), spec.ScaleIO.Gateway) })
	s.add("local", spec.Local != nil, func(at *field.Path) {
		if spec.Local.Path == "" {
			c.required(at.Child("path"), "")
		} else {
			c.checkNoBacksteps(at.Child("path"), spec.Local.Path)
		}
		if spec.NodeAffinity == nil {
			c.required(path.Child("nodeAffinity"), "Local volume requires node affinity")
		}
	})
	s.add("storageos", spec.StorageOS != nil, func(path *field.Path) { c.notEmpty(path.Child("volumeName"), spec.StorageOS.VolumeName) })
	s.add("csi", spec.CSI != nil, func(path *field.Path) { c.checkPersistentCSI(path, spec.CSI) })
	if s.count == 0 {
		c.required(path, "must specify a volume type")
	}
}

func (c *checker) checkPersistentCSI(path *field.Path, s *corev1.CSIPersistentVolumeSource) {
	c.addAll(ValidateDriverName(s.Driver, path.Child("driver")))
	c.notEmpty(path.Child("volumeHandle"), s.VolumeHandle)
	for _, ref := range []struct {
		name   string
		secret *corev1.SecretReference
	}{
		{"controllerPublishSecretRef", s.ControllerPublishSecretRef}, {"controllerExpandSecretRef", s.ControllerExpandSecretRef},
		{"nodePublishSecretRef", s.NodePublishSecretRef}, {"nodeExpandSecretRef", s.NodeExpandSecretRef},
	} {
		if ref.secret == nil {
			continue
		}
		at := path.Child(ref.name)
		if c.notEmpty(at.Child("name"), ref.secret.Name); ref.secret.Name != "" {
			c.each(at.Child("name"), ref.secret.Name, utilvalidation.IsDNS1123Subdomain(ref.secret.Name))
		}
		if c.notEmpty(at.Child("namespace"), ref.secret.Namespace); ref.secret.Namespace != "" {
			c.addAll(meta.DNSLabel(at.Child("namespace"), ref.secret.Namespace))
		}
	}
}
