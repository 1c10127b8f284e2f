package volume

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// emptyDir is open to every user: containers of one pod run as different ones. It keeps its content when it is there already.
func (v *Volumes) emptyDir(pod *v1.Pod, name string, source *v1.EmptyDirVolumeSource) (string, error) {
	dir := v.dir(pod.UID, "empty-dir", name)
	fresh, mode := !exists(dir), fs.FileMode(0o777)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", err
	}
	switch source.Medium {
	case v1.StorageMediumDefault:
	case v1.StorageMediumMemory:
		mounted, err := mountMemory(dir, memorySize(pod, source, allocatableMemory(v.cfg.Allocatable)))
		if err != nil {
			return "", err
		}
		// As upstream leaves it and the kernel mounts it: in memory, users cannot remove each other's files.
		fresh, mode = fresh || mounted, fs.ModeSticky|0o777
	default:
		return "", fmt.Errorf("unknown storage medium %q", source.Medium)
	}
	if !fresh {
		return dir, nil
	}
	err := os.Chmod(dir, mode)
	if err == nil {
		err = setGroup(dir, pod, false)
	}
	if err != nil {
		// Left behind, it would count as made.
		return "", errors.Join(err, unmountBelow(dir), os.RemoveAll(dir))
	}
	return dir, nil
}

// memorySize is the least of the volume's limit, the pod's memory limit and the node's memory; 0 is the kernel's default.
func memorySize(pod *v1.Pod, source *v1.EmptyDirVolumeSource, node resource.Quantity) int64 {
	size := node.Value()
	for _, limit := range []int64{podMemoryLimit(pod), limitOf(source.SizeLimit)} {
		if limit > 0 && (size == 0 || limit < size) {
			size = limit
		}
	}
	return size
}

func limitOf(q *resource.Quantity) int64 {
	if q == nil {
		return 0
	}
	return q.Value()
}

// podMemoryLimit is 0 unless every container has a limit, or the pod as a whole has one.
func podMemoryLimit(pod *v1.Pod) int64 {
	if pod.Spec.Resources != nil {
		if limit, ok := pod.Spec.Resources.Limits[v1.ResourceMemory]; ok {
			return limit.Value()
		}
	}
	var sum, largest int64
	for _, c := range pod.Spec.Containers {
		limit, ok := c.Resources.Limits[v1.ResourceMemory]
		if !ok {
			return 0
		}
		sum += limit.Value()
	}
	for _, c := range pod.Spec.InitContainers {
		limit, ok := c.Resources.Limits[v1.ResourceMemory]
		if !ok {
			return 0
		}
		if c.RestartPolicy != nil {
			sum += limit.Value()
			continue
		}
		largest = max(largest, limit.Value())
	}
	return max(sum, largest)
}
