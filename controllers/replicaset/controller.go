// Package replicaset keeps as many pods as each ReplicaSet asks for.
//
// It decides which pods to adopt, create and delete, and what the status says; it owns the pods it has created and the
// status of ReplicaSets; the controller host calls it. When pods cannot be created it says so in the ReplicaFailure
// condition and in events, and tries again with growing delay.
package replicaset

import (
	"context"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"proa/client"
	"proa/reconcile"
	"proa/reconcile/claim"
	"proa/reconcile/podstate"
)

const table = "replicasets.apps"

var kind = appsv1.SchemeGroupVersion.WithKind("ReplicaSet")

// New makes the controller.
func New() reconcile.Controller {
	return reconcile.Controller{
		Name:     "replicaset",
		Identity: "system:serviceaccount:kube-system:replicaset-controller",
		Reads: []reconcile.Read{
			{Table: table, Keys: reconcile.Self},
			{Table: "pods", Keys: keysOfPod},
		},
		Writes:    []string{"replicasets.apps/status", "pods(owned by a ReplicaSet)", "pods/metadata.ownerReferences(ReplicaSet)"},
		Deletes:   []string{"pods"},
		Reconcile: run,
		Workers:   5,
	}
}

// keysOfPod are the replica set that owns the pod, the one that did, and for an orphan all that might want it.
func keysOfPod(view client.View, event client.Event) []reconcile.Key {
	keys := reconcile.ControllerKeys(event, kind)
	if metav1.GetControllerOfNoCopy(event.Object) != nil || event.Type == client.Deleted {
		return keys
	}
	for rs := range client.List[*appsv1.ReplicaSet](view, table, event.Object.GetNamespace()) {
		selector, err := metav1.LabelSelectorAsSelector(rs.Spec.Selector)
		if err == nil && !selector.Empty() && selector.Matches(labels.Set(event.Object.GetLabels())) {
			keys = append(keys, reconcile.KeyOf(rs))
		}
	}
	return keys
}

func run(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	rs, ok := client.Get[*appsv1.ReplicaSet](req.View, table, req.Namespace, req.Name)
	if !ok {
		return reconcile.Result{}, nil
	}
	selector, err := metav1.LabelSelectorAsSelector(rs.Spec.Selector)
	if err != nil {
		req.Log.Error("selector is invalid", "error", err)
		return reconcile.Result{}, nil
	}
	active, terminating, err := pods(ctx, req, rs, selector)
	if err != nil {
		return reconcile.Result{}, err
	}
	done, failure := apply(ctx, req, rs, decide(rs, active, related(req.View, rs), req.Now))
	if done > 0 && failure == nil {
		return reconcile.Result{}, nil // the pods' changes bring the key back, and the status is written once
	}
	next, changed := status(rs, observed{active: active, terminating: terminating, failure: failure, now: req.Now})
	if changed {
		if err := writeStatus(ctx, req.Client, rs, next); err != nil {
			return reconcile.Result{}, err
		}
	}
	if failure != nil {
		return reconcile.Result{}, failure
	}
	return reconcile.Result{After: nextCheck(rs, active, req.Now)}, nil
}

// pods returns the active pods of the replica set, after adopting and releasing, and how many more are terminating.
func pods(ctx context.Context, req reconcile.Request, rs *appsv1.ReplicaSet, selector labels.Selector) ([]*corev1.Pod, int, error) {
	var active []*corev1.Pod
	terminating := 0
	for pod := range client.List[*corev1.Pod](req.View, "pods", rs.Namespace) {
		if podstate.Active(pod) {
			active = append(active, pod)
		} else if podstate.Terminating(pod) && claim.Decide(rs, selector, pod) == claim.Keep {
			terminating++
		}
	}
	claimer := claim.Claimer{Client: req.Client, Owner: rs, OwnerRef: client.RefOf(table, rs), Kind: kind, Table: "pods"}
	claimed, err := claim.Claim(ctx, claimer, selector, active)
	return claimed, terminating, err
}

// related are the pods that the replica sets with the same owner select.
func related(view client.View, rs *appsv1.ReplicaSet) []*corev1.Pod {
	owner := metav1.GetControllerOfNoCopy(rs)
	if owner == nil {
		return nil
	}
	var selectors []labels.Selector
	for other := range client.List[*appsv1.ReplicaSet](view, table, rs.Namespace) {
		if ref := metav1.GetControllerOfNoCopy(other); ref == nil || ref.UID != owner.UID {
			continue
		}
		if selector, err := metav1.LabelSelectorAsSelector(other.Spec.Selector); err == nil {
			selectors = append(selectors, selector)
		}
	}
	var pods []*corev1.Pod
	for pod := range client.List[*corev1.Pod](view, "pods", rs.Namespace) {
		for _, selector := range selectors {
			if selector.Matches(labels.Set(pod.Labels)) {
				pods = append(pods, pod)
				break
			}
		}
	}
	return pods
}

// apply carries out the plan; it says how many pods it created or deleted.
func apply(ctx context.Context, req reconcile.Request, rs *appsv1.ReplicaSet, plan plan) (done int, err error) {
	if plan.create > 0 {
		return create(ctx, req, rs, plan.create)
	}
	errs := reconcile.Each(req.Parallel, len(plan.remove), func(i int) error {
		return remove(ctx, req, plan.remove[i])
	})
	return reportRemoved(req, rs, plan.remove, errs)
}

// create makes pods in batches of 1, 2, 4 and so on, and stops after a batch with a failure: a namespace that is over its
// quota is asked once, not five hundred times.
func create(ctx context.Context, req reconcile.Request, rs *appsv1.ReplicaSet, count int) (done int, err error) {
	if len(rs.Spec.Template.Labels) == 0 {
		return 0, errors.New("unable to create pods, no labels")
	}
	for size := 1; count > 0; size *= 2 {
		size = min(size, count)
		count -= size
		names := make([]string, size)
		errs := reconcile.Each(req.Parallel, size, func(i int) error {
			pod, err := req.Client.Create(ctx, client.Ref{Table: "pods", Namespace: rs.Namespace}, "", newPod(rs), metav1.CreateOptions{})
			if err == nil {
				names[i] = pod.GetName()
			}
			return err
		})
		created, err := reportCreated(req, rs, names, errs)
		done += created
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// reportCreated tells of new pods and failures, and returns the first failure; in a namespace that is being deleted all
// creations fail, and there is nothing to tell or to retry.
func reportCreated(req reconcile.Request, rs *appsv1.ReplicaSet, names []string, errs []error) (done int, first error) {
	for i, err := range errs {
		switch {
		case err == nil:
			done++
			req.Events.Eventf(rs, corev1.EventTypeNormal, "SuccessfulCreate", "Created pod: %v", names[i])
		case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		default:
			req.Events.Eventf(rs, corev1.EventTypeWarning, "FailedCreate", "Error creating: %v", err)
			if first == nil {
				first = err
			}
		}
	}
	return done, first
}

func remove(ctx context.Context, req reconcile.Request, pod *corev1.Pod) error {
	opts := metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(pod.UID))}
	return req.Client.Delete(ctx, client.RefOf("pods", pod), opts)
}

func reportRemoved(req reconcile.Request, rs *appsv1.ReplicaSet, pods []*corev1.Pod, errs []error) (done int, first error) {
	for i, err := range errs {
		switch {
		case err == nil:
			done++
			req.Events.Eventf(rs, corev1.EventTypeNormal, "SuccessfulDelete", "Deleted pod: %v", pods[i].Name)
		case apierrors.IsNotFound(err):
		default:
			req.Events.Eventf(rs, corev1.EventTypeWarning, "FailedDelete", "Error deleting: %v", err)
			if first == nil {
				first = fmt.Errorf("unable to delete pods: %w", err)
			}
		}
	}
	return done, first
}

func writeStatus(ctx context.Context, c client.Client, rs *appsv1.ReplicaSet, next appsv1.ReplicaSetStatus) error {
	rs = rs.DeepCopy()
	rs.Status = next
	_, err := c.Update(ctx, client.RefOf(table, rs), "status", rs, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
