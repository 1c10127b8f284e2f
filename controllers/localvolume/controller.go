// Package localvolume makes volumes that are directories on a node, for claims of classes whose provisioner is
// storage.LocalDriver, and deletes them when their claims are gone.
//
// It decides when a volume comes and goes and owns those volumes; the directory itself is the node's, which makes it when the
// first pod is started and removes it, and then its finalizer, when the volume is deleted. The controller host calls it.
// When the node of a deleted volume is gone for good, so is the directory, and nobody waits for it.
package localvolume

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/kinds/core"
	"proa/kinds/storage"
	"proa/reconcile"
)

const (
	claimsTable  = "persistentvolumeclaims"
	volumesTable = "persistentvolumes"
	nodesTable   = "nodes"
	classesTable = "storageclasses.storage.k8s.io"
)

// New makes the controller. Its keys are claims, and volumes, which have no namespace.
func New() reconcile.Controller {
	return reconcile.Controller{
		Name:     "local-volume",
		Identity: "system:serviceaccount:kube-system:persistent-volume-binder",
		Source:   storage.LocalDriver,
		Reads: []reconcile.Read{
			{Table: claimsTable, Keys: reconcile.Self},
			{Table: volumesTable, Keys: reconcile.Self},
			{Table: nodesTable, Keys: keysOfNode},
			{Table: classesTable, Keys: func(client.View, client.Event) []reconcile.Key { return nil }},
		},
		Writes:    []string{"persistentvolumes(local)", "persistentvolumes/metadata.finalizers(of nodes that are gone)"},
		Deletes:   []string{volumesTable},
		Reconcile: run,
	}
}

// keysOfNode: when a node goes, volumes on it that are being deleted need not wait for it.
func keysOfNode(view client.View, event client.Event) []reconcile.Key {
	var keys []reconcile.Key
	if event.Type != client.Deleted {
		return nil
	}
	for v := range client.List[*corev1.PersistentVolume](view, volumesTable, "") {
		if node, _, ok := storage.LocalVolume(v); ok && node == event.Object.GetName() {
			keys = append(keys, reconcile.KeyOf(v))
		}
	}
	return keys
}

func run(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	if req.Namespace != "" {
		claim, ok := client.Get[*corev1.PersistentVolumeClaim](req.View, claimsTable, req.Namespace, req.Name)
		if !ok || claim.DeletionTimestamp != nil || claim.Spec.VolumeName != "" || claim.Annotations[storage.ProvisionerOf] != storage.LocalDriver {
			return reconcile.Result{}, nil
		}
		return reconcile.Result{}, provision(ctx, req, claim)
	}
	v, ok := client.Get[*corev1.PersistentVolume](req.View, volumesTable, "", req.Name)
	if !ok {
		return reconcile.Result{}, nil
	}
	node, _, local := storage.LocalVolume(v)
	switch {
	case !local:
		return reconcile.Result{}, nil
	case v.DeletionTimestamp != nil:
		return reconcile.Result{}, letGo(ctx, req, v, node)
	case v.Status.Phase == corev1.VolumeReleased && v.Spec.PersistentVolumeReclaimPolicy == corev1.PersistentVolumeReclaimDelete:
		err := req.Client.Delete(ctx, client.RefOf(volumesTable, v), metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(v.UID))})
		if apierrors.IsNotFound(err) {
			err = nil
		}
		return reconcile.Result{}, err
	}
	return reconcile.Result{}, nil
}

// letGo ends the wait for a node that is gone.
func letGo(ctx context.Context, req reconcile.Request, v *corev1.PersistentVolume, node string) error {
	if req.View.Get(client.Ref{Table: nodesTable, Name: node}) != nil || !slices.Contains(v.Finalizers, storage.LocalFinalizer) {
		return nil
	}
	next := v.DeepCopy()
	next.Finalizers = slices.DeleteFunc(next.Finalizers, func(f string) bool { return f == storage.LocalFinalizer })
	_, err := req.Client.Update(ctx, client.RefOf(volumesTable, v), "", next, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// provision makes the claim's volume, on the node that the scheduler chose for its first pod.
func provision(ctx context.Context, req reconcile.Request, claim *corev1.PersistentVolumeClaim) error {
	failed := func(format string, args ...any) error {
		req.Events.Eventf(claim, corev1.EventTypeWarning, "ProvisioningFailed", "failed to provision volume: "+format, args...)
		return nil
	}
	class, ok := client.Get[*storagev1.StorageClass](req.View, classesTable, "", core.ClassOfClaim(claim))
	if !ok {
		return nil // the binder says so
	}
	selected := claim.Annotations[storage.SelectedNode]
	if selected == "" {
		return failed("volumes of class %q are directories of a node: the class needs volumeBindingMode WaitForFirstConsumer, so that it is known which", class.Name)
	}
	if mode := claim.Spec.VolumeMode; mode != nil && *mode != corev1.PersistentVolumeFilesystem {
		return failed("volumes of class %q are directories: volumeMode %s is not possible", class.Name, *mode)
	}
	if claim.Spec.DataSource != nil || claim.Spec.DataSourceRef != nil {
		return failed("volumes of class %q begin empty: a data source is not possible", class.Name)
	}
	node, ok := client.Get[*corev1.Node](req.View, nodesTable, "", selected)
	if !ok {
		return failed("node %q, which was chosen for the claim's first pod, is gone", selected)
	}
	v := volumeFor(claim, class, node)
	_, err := req.Client.Create(ctx, client.RefOf(volumesTable, v), "", v, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("create volume %s: %w", v.Name, err)
	}
	req.Events.Eventf(claim, corev1.EventTypeNormal, "ProvisioningSucceeded", "Successfully provisioned volume %s", v.Name)
	return nil
}

func volumeFor(claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass, node *corev1.Node) *corev1.PersistentVolume {
	name := "pvc-" + string(claim.UID)
	v := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Annotations: map[string]string{storage.ProvisionedBy: storage.LocalDriver}, Finalizers: []string{storage.LocalFinalizer},
		},
		Spec: corev1.PersistentVolumeSpec{
			Capacity:         corev1.ResourceList{corev1.ResourceStorage: claim.Spec.Resources.Requests[corev1.ResourceStorage]},
			AccessModes:      claim.Spec.AccessModes,
			StorageClassName: class.Name,
			MountOptions:     class.MountOptions,
			VolumeMode:       claim.Spec.VolumeMode,
			ClaimRef: &corev1.ObjectReference{
				Kind: "PersistentVolumeClaim", APIVersion: "v1", Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID, ResourceVersion: claim.ResourceVersion,
			},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
				MatchExpressions: []corev1.NodeSelectorRequirement{{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{node.Labels[corev1.LabelHostname]}}},
			}}}},
		},
	}
	v.Spec.CSI = &corev1.CSIPersistentVolumeSource{
		Driver: storage.LocalDriver, VolumeHandle: name, VolumeAttributes: map[string]string{storage.LocalNode: node.Name},
	}
	v.Spec.PersistentVolumeReclaimPolicy = corev1.PersistentVolumeReclaimDelete
	if class.ReclaimPolicy != nil {
		v.Spec.PersistentVolumeReclaimPolicy = *class.ReclaimPolicy
	}
	return v
}
