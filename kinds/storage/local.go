package storage

import (
	corev1 "k8s.io/api/core/v1"
)

// What makes a volume one that a node keeps in a directory of its own. It looks like a CSI driver's volume, so that no path
// of a node has to be known to anybody else.
const (
	LocalDriver    = "local.proa"
	LocalFinalizer = "local.proa/directory" // the node's, until the directory is removed
	LocalNode      = "node"                 // attribute: the name of the node that has the directory
)

// The names by which claims, volumes, the scheduler and provisioners talk to each other, as upstream has them.
const (
	SelectedNode       = "volume.kubernetes.io/selected-node" // on a claim: where its first pod will run
	ProvisionerOf      = "volume.kubernetes.io/storage-provisioner"
	BetaProvisionerOf  = "volume.beta.kubernetes.io/storage-provisioner"
	BindCompleted      = "pv.kubernetes.io/bind-completed"
	BoundByController  = "pv.kubernetes.io/bound-by-controller"
	ProvisionedBy      = "pv.kubernetes.io/provisioned-by"
	ClaimProtection    = "kubernetes.io/pvc-protection"
	VolumeProtection   = "kubernetes.io/pv-protection"
	NoProvisioner      = "kubernetes.io/no-provisioner"
	DefaultLocalsClass = "local" // the class that a cluster starts with
)

// LocalVolume says on which node a volume is a directory that the node made, and the directory's name; ok is false for all
// other volumes.
func LocalVolume(v *corev1.PersistentVolume) (node, directory string, ok bool) {
	s := v.Spec.CSI
	if s == nil || s.Driver != LocalDriver {
		return "", "", false
	}
	return s.VolumeAttributes[LocalNode], s.VolumeHandle, true
}
