// Package resourceclaim makes the ResourceClaims that pods ask for by templates, and ends what nobody uses any more (KEP-4381).
//
// It decides which claims there must be, and who still uses one. It owns claims that are made for pods, and their names in the
// pods' status; and of all claims that pods that are gone are taken from status.reservedFor, and the devices given back with the
// last. Which devices a claim gets it does not decide. The controller host calls it; while it is away, pods that ask by templates
// wait, and devices stay taken.
package resourceclaim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/client"
	"proa/reconcile"
)

const (
	pods      = "pods"
	claims    = "resourceclaims.resource.k8s.io"
	templates = "resourceclaimtemplates.resource.k8s.io"
	identity  = "system:serviceaccount:kube-system:resource-claim-controller"
)

// NewMaker makes the controller of what pods ask for. Its keys are pods.
func NewMaker() reconcile.Controller {
	return reconcile.Controller{
		Name:     "resource_claim",
		Identity: identity,
		Source:   "resource_claim",
		Reads: []reconcile.Read{
			{Table: pods, Keys: keysOfPod},
			{Table: templates, Keys: func(view client.View, event client.Event) []reconcile.Key {
				return asking(view, event, func(w *corev1.PodResourceClaim) *string { return w.ResourceClaimTemplateName })
			}},
			{Table: claims, Keys: keysOfUsers},
		},
		Writes: []string{claims + "(of a Pod)", "pods/status.resourceClaimStatuses"},
		Reconcile: func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
			return reconcile.Result{}, runPod(ctx, req)
		},
	}
}

func keysOfPod(_ client.View, event client.Event) []reconcile.Key {
	if pod, ok := event.Object.(*corev1.Pod); ok && len(pod.Spec.ResourceClaims) > 0 {
		return []reconcile.Key{reconcile.KeyOf(pod)}
	}
	return nil
}

// asking are the pods that name the object of an event.
func asking(view client.View, event client.Event, named func(*corev1.PodResourceClaim) *string) []reconcile.Key {
	var keys []reconcile.Key
	for pod := range client.List[*corev1.Pod](view, pods, event.Object.GetNamespace()) {
		for i := range pod.Spec.ResourceClaims {
			if name := named(&pod.Spec.ResourceClaims[i]); name != nil && *name == event.Object.GetName() {
				keys = append(keys, reconcile.KeyOf(pod))
				break
			}
		}
	}
	return keys
}

// keysOfUsers are the pod that a claim was made for, and those that name it.
func keysOfUsers(view client.View, event client.Event) []reconcile.Key {
	keys := reconcile.ControllerKeys(event, corev1.SchemeGroupVersion.WithKind("Pod"))
	return append(keys, asking(view, event, func(w *corev1.PodResourceClaim) *string { return w.ResourceClaimName })...)
}

func runPod(ctx context.Context, req reconcile.Request) error {
	pod, ok := client.Get[*corev1.Pod](req.View, pods, req.Namespace, req.Name)
	if !ok || pod.DeletionTimestamp != nil || done(pod) {
		return nil
	}
	var news []corev1.PodResourceClaimStatus
	for i := range pod.Spec.ResourceClaims {
		wish := &pod.Spec.ResourceClaims[i]
		name, err := ensure(ctx, req, pod, wish)
		if err != nil {
			req.Events.Eventf(pod, corev1.EventTypeWarning, "FailedResourceClaimCreation", "PodResourceClaim %s: %v", wish.Name, err)
			return fmt.Errorf("pod %s, PodResourceClaim %s: %w", req.Key, wish.Name, err)
		}
		if name != "" {
			news = append(news, corev1.PodResourceClaimStatus{Name: wish.Name, ResourceClaimName: &name})
		}
	}
	if len(news) > 0 {
		return record(ctx, req, pod, news)
	}
	return reserve(ctx, req, pod)
}

// ensure makes the claim of a wish, unless there is one, and gives its name if it is not written down in the pod.
func ensure(ctx context.Context, req reconcile.Request, pod *corev1.Pod, wish *corev1.PodResourceClaim) (string, error) {
	name, made, known := recorded(pod, wish)
	if !made || known && name == "" || wish.ResourceClaimTemplateName == nil {
		return "", nil
	}
	if known {
		if claim, ok := client.Get[*resourcev1.ResourceClaim](req.View, claims, pod.Namespace, name); ok && metav1.IsControlledBy(claim, pod) {
			return "", nil
		}
	}
	for claim := range client.List[*resourcev1.ResourceClaim](req.View, claims, pod.Namespace) { // made, and not written down
		if metav1.IsControlledBy(claim, pod) && claim.Annotations[resourcev1.PodResourceClaimAnnotation] == wish.Name && claim.DeletionTimestamp == nil {
			return claim.Name, nil
		}
	}
	template, ok := client.Get[*resourcev1.ResourceClaimTemplate](req.View, templates, pod.Namespace, *wish.ResourceClaimTemplateName)
	if !ok {
		missing := apierrors.NewNotFound(resourcev1.Resource("resourceclaimtemplate"), *wish.ResourceClaimTemplateName)
		return "", fmt.Errorf("resource claim template %q: %w", *wish.ResourceClaimTemplateName, missing)
	}
	claim := claimFor(pod, wish.Name, template)
	stored, err := req.Client.Create(ctx, client.RefOf(claims, claim), "", claim, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("create ResourceClaim %s: %w", claim.Name, err)
	}
	return stored.GetName(), nil
}

// record writes the names of claims down in the pod.
func record(ctx context.Context, req reconcile.Request, pod *corev1.Pod, news []corev1.PodResourceClaimStatus) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": pod.UID}, "status": map[string]any{"resourceClaimStatuses": news}})
	if err == nil {
		_, err = req.Client.Patch(ctx, client.RefOf(pods, pod), "status", types.StrategicMergePatchType, patch, metav1.PatchOptions{})
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("update pod %s ResourceClaimStatuses: %w", req.Key, err)
	}
	return nil
}

// reserve notes a pod as a user of its claims when it was placed by somebody who did not.
func reserve(ctx context.Context, req reconcile.Request, pod *corev1.Pod) error {
	var failed []error
	for i := range pod.Spec.ResourceClaims {
		name, made, known := recorded(pod, &pod.Spec.ResourceClaims[i])
		claim, ok := client.Get[*resourcev1.ResourceClaim](req.View, claims, pod.Namespace, name)
		if !known || !ok || !reservable(pod, claim) || made && !metav1.IsControlledBy(claim, pod) {
			continue
		}
		next := claim.DeepCopy()
		next.Status.ReservedFor = append(next.Status.ReservedFor, resourcev1.ResourceClaimConsumerReference{Resource: pods, Name: pod.Name, UID: pod.UID})
		if _, err := req.Client.Update(ctx, client.RefOf(claims, next), "status", next, metav1.UpdateOptions{}); err != nil && !apierrors.IsNotFound(err) {
			failed = append(failed, fmt.Errorf("reserve %s: %w", name, err))
		}
	}
	return errors.Join(failed...)
}
