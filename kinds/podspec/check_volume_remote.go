package podspec

import (
	"net"
	"path"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
)

// The sources here need a storage system of a vendor. Nodes here cannot mount them; the API checks and stores them as
// upstream does, so that a manifest gets the same answer.

// addDisks tells s of the disks of two clouds. The first has another name in errors than in the API.
func (c *checker) addDisks(s *sources, gce *corev1.GCEPersistentDiskVolumeSource, aws *corev1.AWSElasticBlockStoreVolumeSource) {
	s.add("gcePersistentDisk", gce != nil, func(*field.Path) {
		c.checkDisk(s.path.Child("persistentDisk"), "pdName", gce.PDName, gce.Partition)
	})
	s.add("awsElasticBlockStore", aws != nil, func(path *field.Path) { c.checkDisk(path, "volumeID", aws.VolumeID, aws.Partition) })
}

// addVendorDisks tells s of the disks of four vendors.
func (c *checker) addVendorDisks(s *sources, vsphere *corev1.VsphereVirtualDiskVolumeSource, photon *corev1.PhotonPersistentDiskVolumeSource, portworx *corev1.PortworxVolumeSource, azure *corev1.AzureDiskVolumeSource) {
	s.add("vsphereVolume", vsphere != nil, func(path *field.Path) { c.notEmpty(path.Child("volumePath"), vsphere.VolumePath) })
	s.add("photonPersistentDisk", photon != nil, func(path *field.Path) { c.notEmpty(path.Child("pdID"), photon.PdID) })
	s.add("portworxVolume", portworx != nil, func(path *field.Path) { c.notEmpty(path.Child("volumeID"), portworx.VolumeID) })
	s.add("azureDisk", azure != nil, func(path *field.Path) { c.checkAzureDisk(path, azure) })
}

func (c *checker) checkGlusterfs(path *field.Path, endpoints, volume string) {
	c.notEmpty(path.Child("endpoints"), endpoints)
	c.notEmpty(path.Child("path"), volume)
}

func (c *checker) checkRBD(path *field.Path, monitors []string, image string) {
	c.requireAny(path.Child("monitors"), monitors)
	c.notEmpty(path.Child("image"), image)
}

func (c *checker) checkAzureFile(path *field.Path, secret, share string) {
	c.notEmpty(path.Child("secretName"), secret)
	c.notEmpty(path.Child("shareName"), share)
}

func (c *checker) checkScaleIO(path *field.Path, gateway, system, volume string) {
	c.notEmpty(path.Child("gateway"), gateway)
	c.notEmpty(path.Child("system"), system)
	c.notEmpty(path.Child("volumeName"), volume)
}

func (c *checker) checkDisk(path *field.Path, name, id string, partition int32) {
	c.notEmpty(path.Child(name), id)
	if partition < 0 || partition > 255 {
		c.invalid(path.Child("partition"), partition, utilvalidation.InclusiveRangeError(1, 255))
	}
}

func (c *checker) requireAny(path *field.Path, list []string) {
	if len(list) == 0 {
		c.required(path, "")
	}
}

func (c *checker) checkSecretRef(path *field.Path, ref *corev1.LocalObjectReference) {
	if ref != nil {
		c.notEmpty(path.Child("secretRef", "name"), ref.Name)
	}
}

func (c *checker) checkNFS(at *field.Path, s *corev1.NFSVolumeSource) {
	c.notEmpty(at.Child("server"), s.Server)
	c.notEmpty(at.Child("path"), s.Path)
	if !path.IsAbs(s.Path) {
		c.invalid(at.Child("path"), s.Path, "must be an absolute path")
	}
}

func (c *checker) checkCSI(path *field.Path, s *corev1.CSIVolumeSource) {
	c.addAll(ValidateDriverName(s.Driver, path.Child("driver")))
	if ref := s.NodePublishSecretRef; ref != nil {
		if ref.Name == "" {
			c.required(path.Child("nodePublishSecretRef", "name"), "")
		} else {
			c.each(path.Child("name"), ref.Name, validation.NameIsDNSSubdomain(ref.Name, false))
		}
	}
}

// ValidateDriverName wants the name of a CSI driver.
func ValidateDriverName(name string, path *field.Path) field.ErrorList {
	if name == "" {
		return field.ErrorList{field.Required(path, "")}
	}
	var errs field.ErrorList
	if len(name) > 63 {
		errs = append(errs, field.TooLong(path, "", 63))
	}
	return append(errs, meta.Each(path, name, utilvalidation.IsDNS1123Subdomain(strings.ToLower(name)))...)
}

// The initiator's name is made of the volume's and the portal's.
const (
	iscsiNameLimit  = 64
	iscsiNameDetail = "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified."
)

func (c *checker) checkISCSI(path *field.Path, s *corev1.ISCSIVolumeSource) {
	c.notEmpty(path.Child("targetPortal"), s.TargetPortal)
	const unknown = "must be valid format starting with iqn, eui, or naa"
	c.checkISCSITarget(path, s.IQN, s.Lun, (s.DiscoveryCHAPAuth || s.SessionCHAPAuth) && s.SecretRef == nil, unknown)
	if s.InitiatorName != nil {
		c.checkInitiator(path.Child("initiatorname"), *s.InitiatorName, unknown)
	}
}

// checkISCSITarget checks what the volumes of pods and persistent ones have in common. unknown: see checkInitiator.
func (c *checker) checkISCSITarget(path *field.Path, iqn string, lun int32, secretMissing bool, unknown string) {
	if iqn == "" {
		c.required(path.Child("iqn"), "")
	} else {
		c.checkInitiator(path.Child("iqn"), iqn, unknown)
	}
	if lun < 0 || lun > 255 {
		c.invalid(path.Child("lun"), lun, utilvalidation.InclusiveRangeError(0, 255))
	}
	if secretMissing {
		c.required(path.Child("secretRef"), "")
	}
}

// Names of iSCSI initiators by prefix (RFC 3721), as upstream takes them.
var (
	iqnName = regexp.MustCompile(`iqn\.\d{4}-\d{2}\.([[:alnum:]-.]+)(:[^,;*&$|\s]+)$`)
	euiName = regexp.MustCompile(`^eui.[[:alnum:]]{16}$`)
	naaName = regexp.MustCompile(`^naa.[[:alnum:]]{32}$`)
)

// checkInitiator refuses names of no known form; unknown is said of those with another prefix.
func (c *checker) checkInitiator(path *field.Path, name, unknown string) {
	valid := false
	switch {
	case strings.HasPrefix(name, "iqn"):
		valid = iqnName.MatchString(name)
	case strings.HasPrefix(name, "eui"):
		valid = euiName.MatchString(name)
	case strings.HasPrefix(name, "naa"):
		valid = naaName.MatchString(name)
	default:
		c.invalid(path, name, unknown)
		return
	}
	if !valid {
		c.invalid(path, name, "must be valid format")
	}
}

func (c *checker) checkFlocker(path *field.Path, s *corev1.FlockerVolumeSource) {
	switch {
	case s.DatasetName == "" && s.DatasetUUID == "":
		c.required(path, "one of datasetName and datasetUUID is required")
	case s.DatasetName != "" && s.DatasetUUID != "":
		c.invalid(path, "resource", "datasetName and datasetUUID can not be specified simultaneously")
	}
	if strings.Contains(s.DatasetName, "/") {
		c.invalid(path.Child("datasetName"), s.DatasetName, "must not contain '/'")
	}
}

func (c *checker) checkQuobyte(path *field.Path, s *corev1.QuobyteVolumeSource) {
	const pairs = "must be a host:port pair or multiple pairs separated by commas"
	switch {
	case s.Registry == "":
		c.required(path.Child("registry"), pairs)
	case len(s.Tenant) >= 65:
		c.required(path.Child("tenant"), "must be a UUID and may not exceed a length of 64 characters")
	default:
		for pair := range strings.SplitSeq(s.Registry, ",") {
			if _, _, err := net.SplitHostPort(pair); err != nil {
				c.invalid(path.Child("registry"), s.Registry, pairs)
			}
		}
	}
	c.notEmpty(path.Child("volume"), s.Volume)
}

func (c *checker) checkFC(path *field.Path, s *corev1.FCVolumeSource) {
	names := path.Child("targetWWNs")
	switch {
	case len(s.TargetWWNs) == 0 && len(s.WWIDs) == 0:
		c.required(names, "must specify either targetWWNs or wwids, but not both")
	case len(s.TargetWWNs) > 0 && len(s.WWIDs) > 0:
		c.invalid(names, s.TargetWWNs, "targetWWNs and wwids can not be specified simultaneously")
	}
	switch {
	case len(s.TargetWWNs) == 0:
	case s.Lun == nil:
		c.required(path.Child("lun"), "lun is required if targetWWNs is specified")
	case *s.Lun < 0 || *s.Lun > 255:
		c.invalid(path.Child("lun"), s.Lun, utilvalidation.InclusiveRangeError(0, 255))
	}
}

func (c *checker) checkFlex(path *field.Path, driver string, options map[string]string) {
	c.notEmpty(path.Child("driver"), driver)
	for _, key := range meta.Sorted(options) {
		namespace, _, _ := strings.Cut(key, "/")
		namespace = "." + strings.ToLower(namespace)
		if strings.HasSuffix(namespace, ".kubernetes.io") || strings.HasSuffix(namespace, ".k8s.io") {
			c.invalid(path.Child("options").Key(key), key, "kubernetes.io and k8s.io namespaces are reserved")
		}
	}
}

func (c *checker) checkAzureDisk(path *field.Path, s *corev1.AzureDiskVolumeSource) {
	c.notEmpty(path.Child("diskName"), s.DiskName)
	c.notEmpty(path.Child("diskURI"), s.DataDiskURI)
	if s.CachingMode != nil {
		oneOf(c, path.Child("cachingMode"), *s.CachingMode, corev1.AzureDataDiskCachingNone, corev1.AzureDataDiskCachingReadOnly, corev1.AzureDataDiskCachingReadWrite)
	}
	if s.Kind == nil {
		return
	}
	oneOf(c, path.Child("kind"), *s.Kind, corev1.AzureDedicatedBlobDisk, corev1.AzureManagedDisk, corev1.AzureSharedBlobDisk)
	managed := *s.Kind == corev1.AzureManagedDisk
	switch {
	case managed && !strings.HasPrefix(s.DataDiskURI, "/subscriptions/"):
		oneOf(c, path.Child("diskURI"), s.DataDiskURI, "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}")
	case !managed && !strings.HasPrefix(s.DataDiskURI, "https://"):
		oneOf(c, path.Child("diskURI"), s.DataDiskURI, "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd")
	}
}

func (c *checker) checkStorageOS(path *field.Path, volume, namespace string) {
	if volume == "" {
		c.required(path.Child("volumeName"), "")
	} else {
		c.addAll(meta.DNSLabel(path.Child("volumeName"), volume))
	}
	if namespace != "" {
		c.addAll(meta.DNSLabel(path.Child("volumeNamespace"), namespace))
	}
}
