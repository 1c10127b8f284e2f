// Package job runs the pods of each Job until as many as it asks for have succeeded, or it has failed.
//
// It decides which pods to create and delete, which of those that ended count as what, and what the status says; it owns the
// pods it has created, their tracking finalizer and the status of Jobs; the controller host calls it.
//
// # No pod is counted twice, and none is forgotten
//
// Each pod is created with a finalizer, so that it stays until it was counted. A pod that has ended is first written into
// status.uncountedTerminatedPods (or, if it succeeded for an index, into status.completedIndexes), then its finalizer is removed,
// and only when that is seen does the status count it. Whatever comes in between, the next look continues from
// what is written. When the API refuses, the key comes back with growing delay.
package job

import (
	"context"
	"errors"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/kinds/batch"
	"proa/reconcile"
	"proa/reconcile/claim"
	"proa/reconcile/podstate"
)

const table = "jobs.batch"

var kind = batchv1.SchemeGroupVersion.WithKind("Job")

// New makes the controller.
func New() reconcile.Controller {
	owners := claim.Owners{Table: table, Kind: kind, Selector: func(obj client.Object) *metav1.LabelSelector { return obj.(*batchv1.Job).Spec.Selector }}
	return reconcile.Controller{
		Name:     "job",
		Identity: "system:serviceaccount:kube-system:job-controller",
		Reads: []reconcile.Read{
			{Table: table, Keys: reconcile.Self},
			{Table: "pods", Keys: owners.Keys},
		},
		Writes: []string{
			"jobs.batch/status",
			"pods(owned by a Job)", "pods/metadata.ownerReferences(Job)", "pods/metadata.finalizers(" + batchv1.JobTrackingFinalizer + ")",
		},
		Deletes:   []string{"pods"},
		Reconcile: run,
		Workers:   5,
	}
}

func run(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	job, ok := client.Get[*batchv1.Job](req.View, table, req.Namespace, req.Name)
	if ok && job.Spec.ManagedBy != nil && *job.Spec.ManagedBy != batchv1.JobControllerName {
		return reconcile.Result{}, nil
	}
	var all, forgotten []*corev1.Pod
	for pod := range client.List[*corev1.Pod](req.View, "pods", req.Namespace) {
		all = append(all, pod)
		if tracked(pod) && isForgotten(req.Name, job, pod) {
			forgotten = append(forgotten, pod)
		}
	}
	if err := errors.Join(untrack(ctx, req, forgotten)...); err != nil || !ok || batch.Finished(job) {
		return reconcile.Result{}, err
	}
	selector, err := metav1.LabelSelectorAsSelector(job.Spec.Selector)
	if err != nil {
		req.Log.Error("selector is invalid", "error", err)
		return reconcile.Result{}, nil
	}
	claimer := claim.Claimer{Client: req.Client, Owner: job, OwnerRef: client.RefOf(table, job), Kind: kind, Table: "pods"}
	pods, err := claim.Claim(ctx, claimer, selector, all)
	if err != nil {
		return reconcile.Result{}, err
	}
	return apply(ctx, req, job, decide(job, pods, req.Now))
}

// isForgotten says whether nobody counts the pod any more: its job, of this name, is gone (job is nil, or another), let it go,
// or is over.
func isForgotten(name string, job *batchv1.Job, pod *corev1.Pod) bool {
	owner := metav1.GetControllerOfNoCopy(pod)
	switch {
	case owner == nil:
		return pod.Labels[batchv1.JobNameLabel] == name
	case owner.Kind != kind.Kind || owner.Name != name:
		return false
	case job == nil || job.UID != owner.UID:
		return true
	}
	return batch.Finished(job) && (podstate.Terminal(pod) || pod.DeletionTimestamp != nil)
}

func tracked(pod *corev1.Pod) bool {
	return slices.Contains(pod.Finalizers, batchv1.JobTrackingFinalizer)
}
