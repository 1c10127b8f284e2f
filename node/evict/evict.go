// Package evict keeps a node from running out of memory, disk or process ids: it ends pods before the kernel has to.
//
// It decides which resource is short, what the node's pressure conditions say, which pods are not admitted meanwhile, and
// which pod ends next: Decider is pure. Manager measures every ten seconds through its seams, reclaims what no pod needs, and
// has at most one pod evicted per round. node assembles it; node/status shows the conditions; node/run asks it before a pod
// starts and ends those it names. What cannot be measured is not short. When the API is gone it works on; after a restart
// pressure is judged anew.
package evict

import (
	"time"

	v1 "k8s.io/api/core/v1"
)

// Reason is what the status of an evicted pod, and of one that is not admitted, gives as reason.
const Reason = "Evicted"

// Signal names a quantity that can run short, as the kubelet's flags do.
type Signal string

// The signals.
const (
	MemoryAvailable   Signal = "memory.available"
	NodeFSAvailable   Signal = "nodefs.available"
	NodeFSInodesFree  Signal = "nodefs.inodesFree"
	ImageFSAvailable  Signal = "imagefs.available"
	ImageFSInodesFree Signal = "imagefs.inodesFree"
	PIDAvailable      Signal = "pid.available"
)

// The resources that have no name in the API.
const (
	inodes v1.ResourceName = "inodes"
	pids   v1.ResourceName = "pids"
)

// signal is what a Signal means.
type signal struct {
	name      Signal
	condition v1.NodeConditionType
	resource  v1.ResourceName
	count     bool // of things, not of bytes
}

// signals lists them in the order in which shortages are dealt with: memory first, for nothing runs without it.
var signals = [...]signal{
	{MemoryAvailable, v1.NodeMemoryPressure, v1.ResourceMemory, false},
	{ImageFSAvailable, v1.NodeDiskPressure, v1.ResourceEphemeralStorage, false},
	{ImageFSInodesFree, v1.NodeDiskPressure, inodes, true},
	{NodeFSAvailable, v1.NodeDiskPressure, v1.ResourceEphemeralStorage, false},
	{NodeFSInodesFree, v1.NodeDiskPressure, inodes, true},
	{PIDAvailable, v1.NodePIDPressure, pids, true},
}

func (s Signal) meaning() (signal, bool) {
	for _, known := range signals {
		if known.name == s {
			return known, true
		}
	}
	return signal{}, false
}

// disk says whether the signal is about a file system.
func (s Signal) disk() bool { return s != MemoryAvailable && s != PIDAvailable }

// Level is how much of something there is, and how much of it is left.
type Level struct{ Available, Capacity int64 }

// Levels are what was measured of the node. A signal that is missing could not be measured.
type Levels map[Signal]Level

// Policy says when pods are evicted, and how.
type Policy struct {
	Thresholds  []Threshold
	Transition  time.Duration // how long a condition outlives what caused it
	MaxPodGrace int64         // seconds a pod gets at most to end when a soft threshold is met
}

// Eviction ends one pod.
type Eviction struct {
	Pod     *v1.Pod
	Message string
	Grace   int64 // seconds
	// Disrupted says that the pod ends for the node's sake, not for breaking a limit of its own.
	Disrupted bool
}
