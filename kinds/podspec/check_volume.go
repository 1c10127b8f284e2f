package podspec

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
)

const fileModeDetail = "must be a number between 0 and 0777 (octal), both inclusive"

// checkVolumes also collects the volumes without errors, which containers may mount.
func (c *checker) checkVolumes(path *field.Path) {
	made := map[string]bool{} // claims that the pod's ephemeral volumes make
	if c.podName != "" {
		for i := range c.spec.Volumes {
			if c.spec.Volumes[i].Ephemeral != nil {
				made[c.podName+"-"+c.spec.Volumes[i].Name] = true
			}
		}
	}
	for i := range c.spec.Volumes {
		volume, at, before := &c.spec.Volumes[i], path.Index(i), len(c.errs)
		c.checkVolumeSource(at, volume)
		if volume.Name == "" {
			c.required(at.Child("name"), "")
		} else {
			c.addAll(meta.DNSLabel(at.Child("name"), volume.Name))
		}
		if c.volumes[volume.Name] != nil {
			c.duplicate(at.Child("name"), volume.Name)
		}
		if len(c.errs) == before {
			c.volumes[volume.Name] = &volume.VolumeSource
		}
		if claim := volume.PersistentVolumeClaim; claim != nil && made[claim.ClaimName] {
			c.invalid(at.Child("persistentVolumeClaim", "claimName"), claim.ClaimName, "must not reference a PVC that gets created for an ephemeral volume")
		}
	}
}

// sources counts the sources that one volume has. Only the first, in upstream's order, is looked at.
type sources struct {
	c     *checker
	path  *field.Path
	count int
}

// add is told of every field of a VolumeSource; check is called when it is set and the first.
func (s *sources) add(name string, set bool, check func(*field.Path)) {
	if !set {
		return
	}
	s.count++
	if s.count > 1 {
		s.c.forbidden(s.path.Child(name), "may not specify more than 1 volume type")
		return
	}
	check(s.path.Child(name))
}

// checkVolumeSource wants exactly one source. The order, and names that are no field's, are upstream's.
func (c *checker) checkVolumeSource(path *field.Path, v *corev1.Volume) {
	s := &sources{c: c, path: path}
	s.add("emptyDir", v.EmptyDir != nil, func(path *field.Path) {
		if limit := v.EmptyDir.SizeLimit; limit != nil && limit.Sign() < 0 {
			c.forbidden(path.Child("sizeLimit"), "SizeLimit field must be a valid resource quantity")
		}
	})
	s.add("hostPath", v.HostPath != nil, func(path *field.Path) { c.checkHostPath(path, v.HostPath) })
	s.add("gitRepo", v.GitRepo != nil, func(path *field.Path) {
		c.notEmpty(path.Child("repository"), v.GitRepo.Repository)
		c.checkDescending(path.Child("directory"), v.GitRepo.Directory)
	})
	c.addDisks(s, v.GCEPersistentDisk, v.AWSElasticBlockStore)
	s.add("secret", v.Secret != nil, func(path *field.Path) {
		c.notEmpty(path.Child("secretName"), v.Secret.SecretName)
		c.checkMode(path.Child("defaultMode"), v.Secret.DefaultMode)
		c.checkKeyPaths(path.Child("items"), v.Secret.Items)
	})
	s.add("nfs", v.NFS != nil, func(path *field.Path) { c.checkNFS(path, v.NFS) })
	s.add("iscsi", v.ISCSI != nil, func(path *field.Path) { c.checkISCSI(path, v.ISCSI) })
	if v.ISCSI != nil && v.ISCSI.InitiatorName != nil && len(v.Name+":"+v.ISCSI.TargetPortal) > iscsiNameLimit {
		c.invalid(path.Child("name"), v.Name, iscsiNameDetail)
	}
	s.add("glusterfs", v.Glusterfs != nil, func(path *field.Path) { c.checkGlusterfs(path, v.Glusterfs.EndpointsName, v.Glusterfs.Path) })
	s.add("flocker", v.Flocker != nil, func(path *field.Path) { c.checkFlocker(path, v.Flocker) })
	s.add("persistentVolumeClaim", v.PersistentVolumeClaim != nil, func(path *field.Path) {
		c.notEmpty(path.Child("claimName"), v.PersistentVolumeClaim.ClaimName)
	})
	s.add("rbd", v.RBD != nil, func(path *field.Path) { c.checkRBD(path, v.RBD.CephMonitors, v.RBD.RBDImage) })
	s.add("cinder", v.Cinder != nil, func(path *field.Path) {
		c.notEmpty(path.Child("volumeID"), v.Cinder.VolumeID)
		c.checkSecretRef(path, v.Cinder.SecretRef)
	})
	s.add("cephFS", v.CephFS != nil, func(*field.Path) { c.requireAny(path.Child("cephfs", "monitors"), v.CephFS.Monitors) })
	s.add("quobyte", v.Quobyte != nil, func(path *field.Path) { c.checkQuobyte(path, v.Quobyte) })
	s.add("downwarAPI", v.DownwardAPI != nil, func(*field.Path) { c.checkDownwardAPI(path.Child("downwardAPI"), v.DownwardAPI) })
	s.add("fc", v.FC != nil, func(path *field.Path) { c.checkFC(path, v.FC) })
	s.add("flexVolume", v.FlexVolume != nil, func(path *field.Path) { c.checkFlex(path, v.FlexVolume.Driver, v.FlexVolume.Options) })
	s.add("configMap", v.ConfigMap != nil, func(path *field.Path) {
		c.notEmpty(path.Child("name"), v.ConfigMap.Name)
		c.checkMode(path.Child("defaultMode"), v.ConfigMap.DefaultMode)
		c.checkKeyPaths(path.Child("items"), v.ConfigMap.Items)
	})
	s.add("azureFile", v.AzureFile != nil, func(path *field.Path) { c.checkAzureFile(path, v.AzureFile.SecretName, v.AzureFile.ShareName) })
	c.addVendorDisks(s, v.VsphereVolume, v.PhotonPersistentDisk, v.PortworxVolume, v.AzureDisk)
	s.add("storageos", v.StorageOS != nil, func(path *field.Path) {
		c.checkStorageOS(path, v.StorageOS.VolumeName, v.StorageOS.VolumeNamespace)
		c.checkSecretRef(path, v.StorageOS.SecretRef)
	})
	s.add("projected", v.Projected != nil, func(path *field.Path) { c.checkProjected(path, v.Projected) })
	s.add("scaleIO", v.ScaleIO != nil, func(path *field.Path) {
		c.checkScaleIO(path, v.ScaleIO.Gateway, v.ScaleIO.System, v.ScaleIO.VolumeName)
	})
	s.add("csi", v.CSI != nil, func(path *field.Path) { c.checkCSI(path, v.CSI) })
	s.add("ephemeral", v.Ephemeral != nil, func(at *field.Path) {
		c.checkEphemeralVolume(at, v.Ephemeral)
		c.checkClaimName(path.Child("name"), v.Name)
	})
	s.add("image", v.Image != nil, func(path *field.Path) {
		if c.isPod {
			c.notEmpty(path.Child("reference"), v.Image.Reference)
		}
		c.checkPullPolicy(path.Child("pullPolicy"), v.Image.PullPolicy)
	})
	if s.count == 0 {
		c.required(path, "must specify a volume type")
	}
}

// checkClaimName: the claim of an ephemeral volume is named after the pod and the volume.
func (c *checker) checkClaimName(path *field.Path, volume string) {
	if c.podName == "" || volume == "" {
		return
	}
	name := c.podName + "-" + volume
	for _, message := range validation.NameIsDNSSubdomain(name, false) {
		c.invalid(path, volume, fmt.Sprintf("PVC name %q: %v", name, message))
	}
}

func (c *checker) checkMode(path *field.Path, mode *int32) {
	if mode != nil && (*mode < 0 || *mode > 0o777) {
		c.invalid(path, *mode, fileModeDetail)
	}
}

func (c *checker) checkKeyPaths(path *field.Path, items []corev1.KeyToPath) {
	for i := range items {
		c.checkKeyPath(path.Index(i), &items[i])
	}
}

func (c *checker) checkKeyPath(path *field.Path, item *corev1.KeyToPath) {
	c.notEmpty(path.Child("key"), item.Key)
	c.notEmpty(path.Child("path"), item.Path)
	c.checkFilePath(path.Child("path"), item.Path)
	c.checkMode(path.Child("mode"), item.Mode)
}

func (c *checker) checkHostPath(path *field.Path, s *corev1.HostPathVolumeSource) {
	if s.Path == "" {
		c.required(path.Child("path"), "")
		return
	}
	c.checkNoBacksteps(path.Child("path"), s.Path)
	if s.Type != nil {
		oneOf(c, path.Child("type"), *s.Type, corev1.HostPathUnset, corev1.HostPathBlockDev, corev1.HostPathCharDev, corev1.HostPathDirectory,
			corev1.HostPathDirectoryOrCreate, corev1.HostPathFile, corev1.HostPathFileOrCreate, corev1.HostPathSocket)
	}
}

func (c *checker) checkDownwardAPI(path *field.Path, s *corev1.DownwardAPIVolumeSource) {
	c.checkMode(path.Child("defaultMode"), s.DefaultMode)
	for i := range s.Items {
		c.checkDownwardFile(path, &s.Items[i])
	}
}

func (c *checker) checkDownwardFile(path *field.Path, file *corev1.DownwardAPIVolumeFile) {
	c.notEmpty(path.Child("path"), file.Path)
	c.checkFilePath(path.Child("path"), file.Path)
	switch {
	case file.FieldRef != nil:
		c.checkFieldRef(path.Child("fieldRef"), file.FieldRef, volumeFields[:])
		if file.ResourceFieldRef != nil {
			c.invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously")
		}
	case file.ResourceFieldRef != nil:
		c.checkResourceFieldRef(path.Child("resourceFieldRef"), file.ResourceFieldRef, true)
	default:
		c.required(path, "one of fieldRef and resourceFieldRef is required")
	}
	c.checkMode(path.Child("mode"), file.Mode)
}
