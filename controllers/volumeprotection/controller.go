// Package volumeprotection lets claims go when no pod uses them any more, and volumes when no claim does.
//
// It decides when a finalizer that admission gave them is taken away, and owns those two finalizers; the controller host calls
// it. When the API refuses, what is to be deleted waits, and nothing is lost.
package volumeprotection

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/kinds/podspec"
	"proa/kinds/storage"
	"proa/reconcile"
)

const (
	claimsTable  = "persistentvolumeclaims"
	volumesTable = "persistentvolumes"
	podsTable    = "pods"
)

// NewClaims makes the controller of claims.
func NewClaims() reconcile.Controller {
	return reconcile.Controller{
		Name:     "pvc-protection",
		Identity: "system:serviceaccount:kube-system:pvc-protection-controller",
		Reads: []reconcile.Read{
			{Table: claimsTable, Keys: reconcile.Self},
			{Table: podsTable, Keys: keysOfPod},
		},
		Writes:    []string{"persistentvolumeclaims/metadata.finalizers(" + storage.ClaimProtection + ")"},
		Reconcile: runClaim,
	}
}

// keysOfPod: the claims of a pod that has ended or is gone.
func keysOfPod(_ client.View, event client.Event) []reconcile.Key {
	pod, ok := event.Object.(*corev1.Pod)
	if !ok || event.Type != client.Deleted && !ended(pod) {
		return nil
	}
	var keys []reconcile.Key
	for name := range podspec.Claims(pod) {
		keys = append(keys, reconcile.Key{Namespace: pod.Namespace, Name: name})
	}
	return keys
}

func ended(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

func runClaim(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	claim, ok := client.Get[*corev1.PersistentVolumeClaim](req.View, claimsTable, req.Namespace, req.Name)
	if !ok || claim.DeletionTimestamp == nil || !slices.Contains(claim.Finalizers, storage.ClaimProtection) || inUse(req.View, claim) {
		return reconcile.Result{}, nil
	}
	next := claim.DeepCopy()
	next.Finalizers = without(next.Finalizers, storage.ClaimProtection)
	return reconcile.Result{}, update(ctx, req, claimsTable, next)
}

// inUse says whether a pod that may still run, or will, names the claim.
func inUse(view client.View, claim *corev1.PersistentVolumeClaim) bool {
	for pod := range client.List[*corev1.Pod](view, podsTable, claim.Namespace) {
		if ended(pod) || pod.Spec.NodeName == "" { // without a node it waits, and cannot start while the claim is going
			continue
		}
		for name := range podspec.Claims(pod) {
			if name == claim.Name {
				return true
			}
		}
	}
	return false
}

// NewVolumes makes the controller of volumes.
func NewVolumes() reconcile.Controller {
	return reconcile.Controller{
		Name:      "pv-protection",
		Identity:  "system:serviceaccount:kube-system:pv-protection-controller",
		Reads:     []reconcile.Read{{Table: volumesTable, Keys: reconcile.Self}},
		Writes:    []string{"persistentvolumes/metadata.finalizers(" + storage.VolumeProtection + ")"},
		Reconcile: runVolume,
	}
}

func runVolume(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	v, ok := client.Get[*corev1.PersistentVolume](req.View, volumesTable, "", req.Name)
	if !ok || v.DeletionTimestamp == nil || !slices.Contains(v.Finalizers, storage.VolumeProtection) || v.Status.Phase == corev1.VolumeBound {
		return reconcile.Result{}, nil
	}
	next := v.DeepCopy()
	next.Finalizers = without(next.Finalizers, storage.VolumeProtection)
	return reconcile.Result{}, update(ctx, req, volumesTable, next)
}

func without(finalizers []string, finalizer string) []string {
	return slices.DeleteFunc(finalizers, func(f string) bool { return f == finalizer })
}

func update(ctx context.Context, req reconcile.Request, table string, obj client.Object) error {
	_, err := req.Client.Update(ctx, client.RefOf(table, obj), "", obj, metav1.UpdateOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("let %s go: %w", req.Key, err)
	}
	return nil
}
