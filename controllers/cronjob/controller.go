// Package cronjob starts a Job of each CronJob whenever its schedule is due.
//
// It decides when to start one, which running and finished ones to delete, and what the status says; it owns the Jobs it has
// created and the status of CronJobs; the controller host calls it. A schedule that was missed, since nothing ran, is made up for
// once, unless the start's deadline is over. When the API refuses, the key comes back with growing delay.
package cronjob

import (
	"context"
	"errors"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/reconcile"
)

const (
	table    = "cronjobs.batch"
	jobTable = "jobs.batch"
)

var kind = batchv1.SchemeGroupVersion.WithKind("CronJob")

// New makes the controller.
func New() reconcile.Controller {
	return reconcile.Controller{
		Name:     "cronjob",
		Identity: "system:serviceaccount:kube-system:cronjob-controller",
		Reads: []reconcile.Read{
			{Table: table, Keys: reconcile.Self},
			{Table: jobTable, Keys: func(_ client.View, event client.Event) []reconcile.Key { return reconcile.ControllerKeys(event, kind) }},
		},
		Writes:    []string{"cronjobs.batch/status", "jobs.batch(owned by a CronJob)"},
		Deletes:   []string{jobTable},
		Reconcile: run,
		Workers:   5,
	}
}

func run(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	cron, ok := client.Get[*batchv1.CronJob](req.View, table, req.Namespace, req.Name)
	if !ok {
		return reconcile.Result{}, nil
	}
	var jobs []*batchv1.Job
	for job := range client.List[*batchv1.Job](req.View, jobTable, cron.Namespace) {
		if metav1.IsControlledBy(job, cron) {
			jobs = append(jobs, job)
		}
	}
	p := decide(cron, jobs, req.Now)
	for _, e := range p.events {
		req.Events.Eventf(cron, e.kind, e.reason, "%s", e.message)
	}
	result := reconcile.Result{After: p.after}
	failure := remove(ctx, req, cron, p.remove)
	if p.create != nil && failure == nil {
		made, err := create(ctx, req, cron, p.create)
		if err != nil {
			failure = err
			p.status.LastScheduleTime = cron.Status.LastScheduleTime
		}
		if made != nil {
			p.status.Active = append(p.status.Active, refOf(made))
		}
	}
	if equality.Semantic.DeepEqual(p.status, cron.Status) {
		return result, failure
	}
	next := cron.DeepCopy()
	next.Status = p.status
	_, err := req.Client.Update(ctx, client.RefOf(table, cron), "status", next, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		err = nil
	}
	return result, errors.Join(failure, err)
}

func remove(ctx context.Context, req reconcile.Request, cron *batchv1.CronJob, jobs []*batchv1.Job) error {
	var failed []error
	background := metav1.DeletePropagationBackground
	for _, job := range jobs {
		err := req.Client.Delete(ctx, client.RefOf(jobTable, job), metav1.DeleteOptions{
			PropagationPolicy: &background, Preconditions: &metav1.Preconditions{UID: &job.UID},
		})
		switch {
		case apierrors.IsNotFound(err):
		case err != nil:
			req.Events.Eventf(cron, corev1.EventTypeWarning, "FailedDelete", "Deleted job: %v", err)
			failed = append(failed, err)
		default:
			req.Events.Eventf(cron, corev1.EventTypeNormal, "SuccessfulDelete", "Deleted job %v", job.Name)
		}
	}
	return errors.Join(failed...)
}

// create returns nil without an error where no job can or need be made.
func create(ctx context.Context, req reconcile.Request, cron *batchv1.CronJob, job *batchv1.Job) (*batchv1.Job, error) {
	made, err := req.Client.Create(ctx, client.RefOf(jobTable, job), "", job, metav1.CreateOptions{})
	switch {
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause), apierrors.IsAlreadyExists(err):
		return nil, nil
	case err != nil:
		req.Events.Eventf(cron, corev1.EventTypeWarning, "FailedCreate", "Error creating job: %v", err)
		return nil, err
	}
	req.Events.Eventf(cron, corev1.EventTypeNormal, "SuccessfulCreate", "Created job %v", made.GetName())
	return made.(*batchv1.Job), nil
}
