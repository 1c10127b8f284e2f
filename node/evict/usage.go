package evict

import (
	v1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/resource"
)

// Disk is what something takes up on a file system.
type Disk struct{ Bytes, Inodes int64 }

// Add sums up.
func (d *Disk) Add(other Disk) { d.Bytes, d.Inodes = d.Bytes+other.Bytes, d.Inodes+other.Inodes }

// of is the part that a resource counts.
func (d Disk) of(name v1.ResourceName) int64 {
	if name == inodes {
		return d.Inodes
	}
	return d.Bytes
}

// Usage is what a pod that is not over uses. Its pod is shared.
type Usage struct {
	Pod        *v1.Pod
	Known      bool // else nothing could be measured
	Memory     int64
	Processes  int64
	Containers []ContainerUsage
	Volumes    map[string]Disk // of emptyDirs on disk, by name
	Rest       Disk            // what else the pod may fill on disk: hosts file, termination messages, mirrored objects
}

// ContainerUsage is what one running container uses.
type ContainerUsage struct {
	Name        string
	Memory      int64
	Layer, Logs Disk
}

// storage is the local ephemeral storage that counts against the pod's limit. Layers do not when they are on a file
// system of their own.
func (u *Usage) storage(imagesApart bool) Disk {
	sum := u.writable()
	if !imagesApart {
		sum.Add(u.layers())
	}
	return sum
}

// writable is what is on the node's file system.
func (u *Usage) writable() Disk {
	sum := u.Rest
	for _, d := range u.Volumes {
		sum.Add(d)
	}
	for _, c := range u.Containers {
		sum.Add(c.Logs)
	}
	return sum
}

// layers is what the containers wrote on top of their images.
func (u *Usage) layers() Disk {
	var sum Disk
	for _, c := range u.Containers {
		sum.Add(c.Layer)
	}
	return sum
}

// on is what the pod has on the file system of a signal.
func (u *Usage) on(s Signal, imagesApart bool) Disk {
	switch {
	case !imagesApart:
		return u.storage(false)
	case s == ImageFSAvailable || s == ImageFSInodesFree:
		return u.layers()
	}
	return u.writable()
}

// request is what the pod asked for.
func request(p *v1.Pod, name v1.ResourceName) int64 {
	if name == inodes {
		return 0
	}
	q := resource.PodRequests(p, resource.PodResourcesOptions{})[name]
	return q.Value()
}
