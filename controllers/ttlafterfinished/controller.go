// Package ttlafterfinished deletes Jobs some time after they have finished, if they say so.
//
// It decides when that time has come, and owns nothing; the controller host calls it. When the API refuses, the key comes
// back with growing delay.
package ttlafterfinished

import (
	"context"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/reconcile"
)

const table = "jobs.batch"

// New makes the controller.
func New() reconcile.Controller {
	return reconcile.Controller{
		Name:      "ttl-after-finished",
		Identity:  "system:serviceaccount:kube-system:ttl-after-finished-controller",
		Reads:     []reconcile.Read{{Table: table, Keys: reconcile.Self}},
		Deletes:   []string{table},
		Reconcile: run,
	}
}

func run(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	job, ok := client.Get[*batchv1.Job](req.View, table, req.Namespace, req.Name)
	if !ok || job.DeletionTimestamp != nil {
		return reconcile.Result{}, nil
	}
	due, ok := dueAt(job)
	if !ok {
		return reconcile.Result{}, nil
	}
	if wait := due.Sub(req.Now); wait > 0 {
		return reconcile.Result{After: wait}, nil
	}
	foreground := metav1.DeletePropagationForeground
	err := req.Client.Delete(ctx, client.RefOf(table, job), metav1.DeleteOptions{
		PropagationPolicy: &foreground, Preconditions: &metav1.Preconditions{UID: &job.UID},
	})
	if apierrors.IsNotFound(err) {
		err = nil
	}
	return reconcile.Result{}, err
}

// dueAt is when the job is to be deleted, if it has finished and is not to be kept.
func dueAt(job *batchv1.Job) (at time.Time, ok bool) {
	if job.Spec.TTLSecondsAfterFinished == nil {
		return at, false
	}
	for _, c := range job.Status.Conditions {
		if (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue {
			return c.LastTransitionTime.Add(time.Duration(*job.Spec.TTLSecondsAfterFinished) * time.Second), true
		}
	}
	return at, false
}
