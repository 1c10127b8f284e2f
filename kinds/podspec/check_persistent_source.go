package podspec

import (
	corev1 "k8s.io/api/core/v1"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
)

// checkPersistentSource wants exactly one source, in upstream's order. name is the volume's.
func (c *checker) checkPersistentSource(path *field.Path, name string, v *corev1.PersistentVolumeSource, affinity *corev1.VolumeNodeAffinity) {
	s := &sources{c: c, path: path}
	s.add("hostPath", v.HostPath != nil, func(path *field.Path) { c.checkHostPath(path, v.HostPath) })
	c.addDisks(s, v.GCEPersistentDisk, v.AWSElasticBlockStore)
	s.add("glusterfs", v.Glusterfs != nil, func(path *field.Path) { c.checkPersistentGlusterfs(path, v.Glusterfs) })
	s.add("flocker", v.Flocker != nil, func(path *field.Path) { c.checkFlocker(path, v.Flocker) })
	s.add("nfs", v.NFS != nil, func(path *field.Path) { c.checkNFS(path, v.NFS) })
	s.add("rbd", v.RBD != nil, func(path *field.Path) { c.checkRBD(path, v.RBD.CephMonitors, v.RBD.RBDImage) })
	s.add("quobyte", v.Quobyte != nil, func(path *field.Path) { c.checkQuobyte(path, v.Quobyte) })
	s.add("cephFS", v.CephFS != nil, func(*field.Path) { c.requireAny(path.Child("cephfs", "monitors"), v.CephFS.Monitors) })
	s.add("iscsi", v.ISCSI != nil, func(path *field.Path) { c.checkPersistentISCSI(path, name, v.ISCSI) })
	s.add("cinder", v.Cinder != nil, func(path *field.Path) {
		c.notEmpty(path.Child("volumeID"), v.Cinder.VolumeID)
		if ref := v.Cinder.SecretRef; ref != nil {
			c.checkSecretIn(path.Child("secretRef"), ref.Name, ref.Namespace)
		}
	})
	s.add("fc", v.FC != nil, func(path *field.Path) { c.checkFC(path, v.FC) })
	if v.FlexVolume != nil { // the one that upstream never finds to be one too many
		s.count++
		c.checkFlex(path.Child("flexVolume"), v.FlexVolume.Driver, v.FlexVolume.Options)
	}
	s.add("azureFile", v.AzureFile != nil, func(path *field.Path) {
		c.checkAzureFile(path, v.AzureFile.SecretName, v.AzureFile.ShareName)
		if namespace := v.AzureFile.SecretNamespace; namespace != nil {
			c.notEmpty(path.Child("secretNamespace"), *namespace)
		}
	})
	c.addVendorDisks(s, v.VsphereVolume, v.PhotonPersistentDisk, v.PortworxVolume, v.AzureDisk)
	s.add("scaleIO", v.ScaleIO != nil, func(path *field.Path) {
		c.checkScaleIO(path, v.ScaleIO.Gateway, v.ScaleIO.System, v.ScaleIO.VolumeName)
	})
	s.add("local", v.Local != nil, func(at *field.Path) {
		if v.Local.Path == "" {
			c.required(at.Child("path"), "")
		} else {
			c.checkNoBacksteps(at.Child("path"), v.Local.Path)
		}
		if affinity == nil {
			c.required(path.Child("nodeAffinity"), "Local volume requires node affinity")
		}
	})
	s.add("storageos", v.StorageOS != nil, func(path *field.Path) {
		c.checkStorageOS(path, v.StorageOS.VolumeName, v.StorageOS.VolumeNamespace)
		if ref := v.StorageOS.SecretRef; ref != nil {
			c.checkSecretIn(path.Child("secretRef"), ref.Name, ref.Namespace)
		}
	})
	s.add("csi", v.CSI != nil, func(path *field.Path) { c.checkPersistentCSI(path, v.CSI) })
	if s.count == 0 {
		c.required(path, "must specify a volume type")
	}
}

func (c *checker) checkSecretIn(path *field.Path, name, namespace string) {
	c.notEmpty(path.Child("name"), name)
	c.notEmpty(path.Child("namespace"), namespace)
}

func (c *checker) checkPersistentGlusterfs(path *field.Path, s *corev1.GlusterfsPersistentVolumeSource) {
	c.checkGlusterfs(path, s.EndpointsName, s.Path)
	switch namespace := s.EndpointsNamespace; {
	case namespace == nil:
	case *namespace == "":
		c.invalid(path.Child("endpointsNamespace"), *namespace, "if the endpointnamespace is set, it must be a valid namespace name")
	default:
		c.addAll(meta.DNSLabel(path.Child("endpointsNamespace"), *namespace))
	}
}

func (c *checker) checkPersistentISCSI(path *field.Path, name string, s *corev1.ISCSIPersistentVolumeSource) {
	c.notEmpty(path.Child("targetPortal"), s.TargetPortal)
	if s.InitiatorName != nil && len(name+":"+s.TargetPortal) > iscsiNameLimit {
		c.invalid(path.Child("targetportal"), s.TargetPortal, iscsiNameDetail)
	}
	const unknown = "must be valid format"
	c.checkISCSITarget(path, s.IQN, s.Lun, (s.DiscoveryCHAPAuth || s.SessionCHAPAuth) && s.SecretRef == nil, unknown)
	if s.SecretRef != nil {
		c.notEmpty(path.Child("secretRef", "name"), s.SecretRef.Name)
	}
	if s.InitiatorName != nil {
		c.checkInitiator(path.Child("initiatorname"), *s.InitiatorName, unknown)
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
