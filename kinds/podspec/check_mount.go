package podspec

import (
	"path"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func (c *checker) checkMounts(at *field.Path, container *corev1.Container) {
	devices, paths, mounted := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, device := range container.VolumeDevices {
		devices[device.Name] = true
		paths[device.DevicePath] = true
	}
	for i := range container.VolumeMounts {
		mount, index := &container.VolumeMounts[i], at.Index(i)
		c.notEmpty(index.Child("name"), mount.Name)
		if c.volumes[mount.Name] == nil {
			c.notFound(index.Child("name"), mount.Name)
		}
		c.notEmpty(index.Child("mountPath"), mount.MountPath)
		if mounted[mount.MountPath] {
			c.invalid(index.Child("mountPath"), mount.MountPath, "must be unique")
		}
		mounted[mount.MountPath] = true
		if devices[mount.Name] {
			c.invalid(index.Child("name"), mount.Name, "must not already exist in volumeDevices")
		}
		if paths[mount.MountPath] {
			c.invalid(index.Child("mountPath"), mount.MountPath, "must not already exist as a path in volumeDevices")
		}
		// Upstream leaves the index out of the paths below.
		if mount.SubPath != "" {
			c.checkDescending(at.Child("subPath"), mount.SubPath)
		}
		if mount.SubPathExpr != "" {
			if mount.SubPath != "" {
				c.invalid(index.Child("subPathExpr"), mount.SubPathExpr, "subPathExpr and subPath are mutually exclusive")
			}
			c.checkDescending(at.Child("subPathExpr"), mount.SubPathExpr)
		}
		c.checkPropagation(at.Child("mountPropagation"), mount.MountPropagation, container)
		c.checkRecursiveReadOnly(at.Child("recursiveReadOnly"), mount)
	}
}

func (c *checker) checkPropagation(at *field.Path, mode *corev1.MountPropagationMode, container *corev1.Container) {
	if mode == nil {
		return
	}
	oneOf(c, at, *mode, corev1.MountPropagationBidirectional, corev1.MountPropagationHostToContainer, corev1.MountPropagationNone)
	if *mode == corev1.MountPropagationBidirectional && !isPrivileged(container.SecurityContext) {
		c.forbidden(at, "Bidirectional mount propagation is available only to privileged containers")
	}
}

func isPrivileged(s *corev1.SecurityContext) bool {
	return s != nil && s.Privileged != nil && *s.Privileged
}

func (c *checker) checkRecursiveReadOnly(at *field.Path, mount *corev1.VolumeMount) {
	mode := mount.RecursiveReadOnly
	if mode == nil {
		return
	}
	oneOf(c, at, *mode, corev1.RecursiveReadOnlyDisabled, corev1.RecursiveReadOnlyEnabled, corev1.RecursiveReadOnlyIfPossible)
	if *mode == corev1.RecursiveReadOnlyEnabled || *mode == corev1.RecursiveReadOnlyIfPossible {
		c.forbidIf(!mount.ReadOnly, at, "may only be specified when readOnly is true")
		propagates := mount.MountPropagation != nil && *mount.MountPropagation != corev1.MountPropagationNone
		c.forbidIf(propagates, at, "may only be specified when mountPropagation is None or not specified")
	}
}

func (c *checker) checkDevices(at *field.Path, container *corev1.Container) {
	mounts, paths := map[string]bool{}, map[string]bool{}
	for _, mount := range container.VolumeMounts {
		mounts[mount.Name] = true
		paths[mount.MountPath] = true
	}
	names, used := map[string]bool{}, map[string]bool{}
	for i, device := range container.VolumeDevices {
		name, place := at.Index(i).Child("name"), at.Index(i).Child("devicePath")
		c.notEmpty(name, device.Name)
		if names[device.Name] {
			c.invalid(name, device.Name, "must be unique")
		}
		names[device.Name] = device.Name != ""
		switch source := c.volumes[device.Name]; {
		case source == nil:
			c.notFound(name, device.Name)
		case source.PersistentVolumeClaim == nil && source.Ephemeral == nil:
			c.invalid(name, device.Name, "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode")
		}
		c.notEmpty(place, device.DevicePath)
		if used[device.DevicePath] {
			c.invalid(place, device.DevicePath, "must be unique")
		}
		if hasBackstep(device.DevicePath) {
			c.invalid(place, device.DevicePath, "can not contain backsteps ('..')")
		} else {
			used[device.DevicePath] = true
		}
		if mounts[device.Name] {
			c.invalid(name, device.Name, "must not already exist in volumeMounts")
		}
		if paths[device.DevicePath] {
			c.invalid(place, device.DevicePath, "must not already exist as a path in volumeMounts")
		}
	}
}

// checkDescending wants a relative path that stays below where it starts.
func (c *checker) checkDescending(at *field.Path, target string) {
	if path.IsAbs(target) {
		c.invalid(at, target, "must be a relative path")
	}
	c.checkNoBacksteps(at, target)
}

// checkFilePath is checkDescending for files in a volume, where names that start with ".." are taken.
func (c *checker) checkFilePath(at *field.Path, target string) {
	c.checkDescending(at, target)
	if strings.HasPrefix(target, "..") && !strings.HasPrefix(target, "../") {
		c.invalid(at, target, "must not start with '..'")
	}
}

func (c *checker) checkNoBacksteps(at *field.Path, target string) {
	if hasBackstep(target) {
		c.invalid(at, target, "must not contain '..'")
	}
}

func hasBackstep(target string) bool {
	for part := range strings.SplitSeq(target, "/") {
		if part == ".." {
			return true
		}
	}
	return false
}
