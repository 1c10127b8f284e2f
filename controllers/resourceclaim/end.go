package resourceclaim

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/reconcile"
)

// NewEnder makes the controller that ends what is no longer used. Its keys are claims.
func NewEnder() reconcile.Controller {
	return reconcile.Controller{
		Name:     "resource_claim_end",
		Identity: identity,
		Reads:    []reconcile.Read{{Table: claims, Keys: reconcile.Self}, {Table: pods, Keys: keysOfClaims}},
		Writes:   []string{claims + "/status", claims + "/metadata.finalizers[" + resourcev1.Finalizer + "]"},
		Deletes:  []string{claims + "(of a Pod)"},
		Reconcile: func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
			return reconcile.Result{}, runClaim(ctx, req)
		},
	}
}

// keysOfClaims are the claims of a pod that will not run any more, or is gone.
func keysOfClaims(_ client.View, event client.Event) []reconcile.Key {
	pod, ok := event.Object.(*corev1.Pod)
	if !ok || event.Type != client.Deleted && !done(pod) {
		return nil
	}
	var keys []reconcile.Key
	for i := range pod.Spec.ResourceClaims {
		if name, _, _ := recorded(pod, &pod.Spec.ResourceClaims[i]); name != "" {
			keys = append(keys, reconcile.Key{Namespace: pod.Namespace, Name: name})
		}
	}
	return keys
}

func runClaim(ctx context.Context, req reconcile.Request) error {
	claim, ok := client.Get[*resourcev1.ResourceClaim](req.View, claims, req.Namespace, req.Name)
	if !ok {
		return nil
	}
	e := decide(claim, func(name string) *corev1.Pod {
		pod, _ := client.Get[*corev1.Pod](req.View, pods, req.Namespace, name)
		return pod
	})
	if err := end(ctx, req, claim, e); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("end the use of claim %s: %w", req.Key, err)
	}
	return nil
}

// end does what was decided. Updates carry the revision that was looked at: who reserves the claim meanwhile is not overruled.
func end(ctx context.Context, req reconcile.Request, claim *resourcev1.ResourceClaim, e ending) error {
	ref, next := client.RefOf(claims, claim), claim.DeepCopy()
	if e.fewer || e.free {
		next.Status.ReservedFor = e.users
		if e.free {
			next.Status.Allocation = nil
		}
		stored, err := req.Client.Update(ctx, ref, "status", next, metav1.UpdateOptions{})
		if err != nil {
			return err
		}
		next = stored.DeepCopyObject().(*resourcev1.ResourceClaim)
	}
	if e.release {
		next.Finalizers = slices.DeleteFunc(next.Finalizers, func(f string) bool { return f == resourcev1.Finalizer })
		if _, err := req.Client.Update(ctx, ref, "", next, metav1.UpdateOptions{}); err != nil {
			return err
		}
	}
	if e.remove {
		return req.Client.Delete(ctx, ref, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &claim.UID}})
	}
	return nil
}
