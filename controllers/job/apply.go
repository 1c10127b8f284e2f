package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/client"
	"proa/reconcile"
	"proa/reconcile/podcontrol"
)

// apply carries out a plan. When pods were created or deleted without more to count, their changes bring the job back, and the
// status is written once, then.
func apply(ctx context.Context, req reconcile.Request, job *batchv1.Job, p plan) (reconcile.Result, error) {
	result := reconcile.Result{After: p.after}
	done, failure := applyPods(ctx, req, job, p)
	if done > 0 && failure == nil && len(p.untrack) == 0 && len(p.events) == 0 && job.Status.StartTime != nil {
		return result, nil
	}
	if failure != nil { // what was to be is not
		p.status.Active, p.status.Ready, p.status.Terminating = job.Status.Active, job.Status.Ready, job.Status.Terminating
	}
	if !equality.Semantic.DeepEqual(p.status, job.Status) {
		next := job.DeepCopy()
		next.Status = p.status
		if _, err := req.Client.Update(ctx, client.RefOf(table, job), "status", next, metav1.UpdateOptions{}); err != nil {
			if apierrors.IsNotFound(err) {
				err = nil
			}
			return result, errors.Join(failure, err)
		}
	}
	for _, e := range p.events {
		req.Events.Eventf(job, e.kind, e.reason, "%s", e.message)
	}
	return result, errors.Join(failure, errors.Join(untrack(ctx, req, p.untrack)...))
}

func applyPods(ctx context.Context, req reconcile.Request, job *batchv1.Job, p plan) (done int, err error) {
	if len(p.remove) > 0 {
		// What the controller ends itself counts as nothing: it goes without its finalizer.
		var kept []*corev1.Pod
		for _, pod := range p.remove {
			if tracked(pod) {
				kept = append(kept, pod)
			}
		}
		if err := errors.Join(untrack(ctx, req, kept)...); err != nil {
			return 0, err
		}
		return podcontrol.Delete(ctx, req, job, p.remove)
	}
	if len(p.create) > 0 {
		return podcontrol.Create(ctx, req, job, p.create)
	}
	return 0, nil
}

// untrack removes the tracking finalizer from pods. One that is gone has none.
func untrack(ctx context.Context, req reconcile.Request, pods []*corev1.Pod) []error {
	return reconcile.Each(req.Parallel, len(pods), func(i int) error {
		pod := pods[i]
		left := slices.DeleteFunc(slices.Clone(pod.Finalizers), func(f string) bool { return f == batchv1.JobTrackingFinalizer })
		body, err := json.Marshal(map[string]any{"metadata": map[string]any{
			"uid": pod.UID, "resourceVersion": pod.ResourceVersion, "finalizers": left,
		}})
		if err != nil {
			return fmt.Errorf("write patch: %w", err)
		}
		_, err = req.Client.Patch(ctx, client.RefOf("pods", pod), "", types.MergePatchType, body, metav1.PatchOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return err
	})
}
