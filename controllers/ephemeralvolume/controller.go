// Package ephemeralvolume makes the claims of pods whose volumes are to live as long as they do.
//
// It decides which claims are missing and owns those it made, which go with their pods; the controller host calls it. When a
// claim of that name is somebody else's, an event says so and the pod waits.
package ephemeralvolume

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/reconcile"
)

const (
	podsTable   = "pods"
	claimsTable = "persistentvolumeclaims"
)

// New makes the controller.
func New() reconcile.Controller {
	return reconcile.Controller{
		Name:     "ephemeral-volume",
		Identity: "system:serviceaccount:kube-system:ephemeral-volume-controller",
		Reads: []reconcile.Read{
			{Table: podsTable, Keys: keysOfPod},
			{Table: claimsTable, Keys: func(_ client.View, e client.Event) []reconcile.Key {
				return reconcile.ControllerKeys(e, corev1.SchemeGroupVersion.WithKind("Pod"))
			}},
		},
		Writes:    []string{"persistentvolumeclaims(of a Pod)"},
		Reconcile: run,
	}
}

func keysOfPod(_ client.View, event client.Event) []reconcile.Key {
	if pod, ok := event.Object.(*corev1.Pod); ok && event.Type == client.Created {
		for i := range pod.Spec.Volumes {
			if pod.Spec.Volumes[i].Ephemeral != nil {
				return []reconcile.Key{reconcile.KeyOf(pod)}
			}
		}
	}
	return nil
}

func run(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	pod, ok := client.Get[*corev1.Pod](req.View, podsTable, req.Namespace, req.Name)
	if !ok || pod.DeletionTimestamp != nil {
		return reconcile.Result{}, nil
	}
	for i := range pod.Spec.Volumes {
		volume := &pod.Spec.Volumes[i]
		if volume.Ephemeral == nil || volume.Ephemeral.VolumeClaimTemplate == nil {
			continue
		}
		if err := ensure(ctx, req, pod, volume); err != nil {
			return reconcile.Result{}, err
		}
	}
	return reconcile.Result{}, nil
}

func ensure(ctx context.Context, req reconcile.Request, pod *corev1.Pod, volume *corev1.Volume) error {
	name := pod.Name + "-" + volume.Name
	if claim, ok := client.Get[*corev1.PersistentVolumeClaim](req.View, claimsTable, pod.Namespace, name); ok {
		if metav1.IsControlledBy(claim, pod) {
			return nil
		}
		return fmt.Errorf("PVC %q was not created for pod %q (pod is not owner)", pod.Namespace+"/"+name, pod.Namespace+"/"+pod.Name)
	}
	template := volume.Ephemeral.VolumeClaimTemplate.DeepCopy()
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: pod.Namespace, Name: name, Labels: template.Labels, Annotations: template.Annotations,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(pod, corev1.SchemeGroupVersion.WithKind("Pod"))},
		},
		Spec: template.Spec,
	}
	_, err := req.Client.Create(ctx, client.RefOf(claimsTable, claim), "", claim, metav1.CreateOptions{})
	switch {
	case err == nil || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return nil
	case apierrors.IsAlreadyExists(err):
		return err // a newer view shows whose it is
	}
	req.Events.Eventf(pod, corev1.EventTypeWarning, "FailedCreate", "ephemeral volume: create claim %s: %s", name, err)
	return fmt.Errorf("create claim %s: %w", name, err)
}
