package volume

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	v1 "k8s.io/api/core/v1"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Mounts lists a container's mounts. A subPath is opened beneath the volume and bound to a place of ours, which is what the
// runtime gets: between the check and the use nobody can put a link in between.
func (v *Volumes) Mounts(pod *v1.Pod, container *v1.Container, hostPaths map[string]string) ([]*runtimeapi.Mount, error) {
	mounts := make([]*runtimeapi.Mount, 0, len(container.VolumeMounts))
	for i := range container.VolumeMounts {
		mount := &container.VolumeMounts[i]
		volume := volumeOf(pod, mount.Name)
		hostPath, ok := hostPaths[mount.Name]
		if volume == nil || !ok {
			return nil, fmt.Errorf("cannot find volume %q to mount into container %q", mount.Name, container.Name)
		}
		made, err := v.mount(pod, container, i, volume, hostPath)
		if err != nil {
			return nil, err
		}
		mounts = append(mounts, made)
	}
	return mounts, nil
}

func (v *Volumes) mount(pod *v1.Pod, container *v1.Container, index int, volume *v1.Volume, hostPath string) (*runtimeapi.Mount, error) {
	mount := &container.VolumeMounts[index]
	containerPath := mount.MountPath
	if !filepath.IsAbs(containerPath) {
		containerPath = filepath.Join("/", containerPath)
	}
	if volume.Image != nil {
		// The runtime mounts the image, and resolves the path within it.
		return &runtimeapi.Mount{ContainerPath: containerPath, Readonly: true, Image: &runtimeapi.ImageSpec{Image: hostPath}, ImageSubPath: mount.SubPath}, nil
	}
	if mount.SubPath != "" {
		target := filepath.Join(v.subPathsDir(pod.UID), mount.Name, container.Name, strconv.Itoa(index))
		if err := bindSubPath(hostPath, mount.SubPath, target); err != nil {
			v.cfg.Log.Warn("prepare subPath", "pod", pod.Namespace+"/"+pod.Name, "volume", mount.Name, "subPath", mount.SubPath, "error", err)
			// Users see less than the log: the host's paths are not theirs to know.
			return nil, fmt.Errorf("failed to prepare subPath for volumeMount %q of container %q", mount.Name, container.Name)
		}
		hostPath = target
	}
	claim := volume.PersistentVolumeClaim
	readOnly := mount.ReadOnly || isMirror(&volume.VolumeSource) || claim != nil && claim.ReadOnly
	return &runtimeapi.Mount{
		ContainerPath:     containerPath,
		HostPath:          hostPath,
		Readonly:          readOnly,
		RecursiveReadOnly: readOnly && wantsRecursive(mount.RecursiveReadOnly),
		Propagation:       propagationOf(mount.MountPropagation),
	}, nil
}

func volumeOf(pod *v1.Pod, name string) *v1.Volume {
	for i := range pod.Spec.Volumes {
		if pod.Spec.Volumes[i].Name == name {
			return &pod.Spec.Volumes[i]
		}
	}
	return nil
}

// wantsRecursive treats IfPossible as Enabled: the bundle's runc and every kernel that Proa supports can do it.
func wantsRecursive(mode *v1.RecursiveReadOnlyMode) bool {
	return mode != nil && *mode != v1.RecursiveReadOnlyDisabled
}

func propagationOf(mode *v1.MountPropagationMode) runtimeapi.MountPropagation {
	switch {
	case mode == nil:
		return runtimeapi.MountPropagation_PROPAGATION_PRIVATE
	case *mode == v1.MountPropagationHostToContainer:
		return runtimeapi.MountPropagation_PROPAGATION_HOST_TO_CONTAINER
	case *mode == v1.MountPropagationBidirectional:
		return runtimeapi.MountPropagation_PROPAGATION_BIDIRECTIONAL
	}
	return runtimeapi.MountPropagation_PROPAGATION_PRIVATE
}

// prepareTarget makes an empty directory or file to mount over. What an earlier container of the name left is unmounted.
func prepareTarget(target string, isDir bool) error {
	if exists(target) {
		if err := unmountBelow(target); err != nil {
			return err
		}
		if err := os.Remove(target); err != nil {
			return err
		}
	}
	if isDir {
		return os.MkdirAll(target, 0o750)
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o750); err != nil {
		return err
	}
	f, err := os.OpenFile(target, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	return f.Close()
}
