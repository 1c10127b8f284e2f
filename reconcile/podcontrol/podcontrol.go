// Package podcontrol creates and deletes the pods of one owner and tells about it in the owner's events.
//
// It decides nothing: controllers that keep many like pods share it, so that they start as carefully and speak in the same
// words. When the API refuses, the first error goes to the caller, who tries again later.
package podcontrol

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"proa/client"
	"proa/reconcile"
)

// New makes a pod of a template for its owner, with a generated name. It is the caller's to change.
func New(owner client.Object, kind schema.GroupVersionKind, template *corev1.PodTemplateSpec) *corev1.Pod {
	template = template.DeepCopy()
	prefix := owner.GetName() + "-"
	if len(apivalidation.NameIsDNSSubdomain(prefix, true)) > 0 {
		prefix = owner.GetName()
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       owner.GetNamespace(),
			GenerateName:    prefix,
			Labels:          template.Labels,
			Annotations:     template.Annotations,
			Finalizers:      template.Finalizers,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(owner, kind)},
		},
		Spec: template.Spec,
	}
}

// SlowStart calls f for 0..n-1 in batches of 1, 2, 4 and so on, each at most parallel at a time, and stops after a batch with a
// failure: a namespace that is over its quota is asked once, not five hundred times. After each batch it calls done, if that is
// not nil, with the first number of the batch and its errors. The errors of all calls that it made are returned in order.
func SlowStart(parallel, n int, f func(i int) error, done func(first int, errs []error)) []error {
	var errs []error
	for size := 1; len(errs) < n; size *= 2 {
		first := len(errs)
		batch := reconcile.Each(parallel, min(size, n-first), func(i int) error { return f(first + i) })
		errs = append(errs, batch...)
		if done != nil {
			done(first, batch)
		}
		if errors.Join(batch...) != nil {
			break
		}
	}
	return errs
}

// Create makes pods, with a slow start. done counts those that it made. In a namespace that is being deleted all creations
// fail, and there is nothing to tell or to retry.
func Create(ctx context.Context, req reconcile.Request, owner client.Object, pods []*corev1.Pod) (done int, err error) {
	if len(pods) > 0 && len(pods[0].Labels) == 0 {
		return 0, errors.New("unable to create pods, no labels")
	}
	names := make([]string, len(pods))
	create := func(i int) error {
		pod, err := req.Client.Create(ctx, client.Ref{Table: "pods", Namespace: owner.GetNamespace()}, "", pods[i], metav1.CreateOptions{})
		if err == nil {
			names[i] = pod.GetName()
		}
		return err
	}
	SlowStart(req.Parallel, len(pods), create, func(first int, errs []error) {
		created, failure := reportCreated(req, owner, names[first:], errs)
		done += created
		err = failure
	})
	return done, err
}

func reportCreated(req reconcile.Request, owner client.Object, names []string, errs []error) (done int, first error) {
	for i, err := range errs {
		switch {
		case err == nil:
			done++
			req.Events.Eventf(owner, corev1.EventTypeNormal, "SuccessfulCreate", "Created pod: %v", names[i])
		case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		default:
			req.Events.Eventf(owner, corev1.EventTypeWarning, "FailedCreate", "Error creating: %v", err)
			if first == nil {
				first = err
			}
		}
	}
	return done, first
}

// Delete removes pods, those and no later ones of their names. done counts those that were still there.
func Delete(ctx context.Context, req reconcile.Request, owner client.Object, pods []*corev1.Pod) (done int, err error) {
	errs := reconcile.Each(req.Parallel, len(pods), func(i int) error {
		opts := metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(pods[i].UID))}
		return req.Client.Delete(ctx, client.RefOf("pods", pods[i]), opts)
	})
	return reportDeleted(req, owner, pods, errs)
}

func reportDeleted(req reconcile.Request, owner client.Object, pods []*corev1.Pod, errs []error) (done int, first error) {
	for i, err := range errs {
		switch {
		case err == nil:
			done++
			req.Events.Eventf(owner, corev1.EventTypeNormal, "SuccessfulDelete", "Deleted pod: %v", pods[i].Name)
		case apierrors.IsNotFound(err):
		default:
			req.Events.Eventf(owner, corev1.EventTypeWarning, "FailedDelete", "Error deleting: %v", err)
			if first == nil {
				first = fmt.Errorf("unable to delete pods: %w", err)
			}
		}
	}
	return done, first
}
