package statefulset

import (
	"cmp"
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/reconcile"
	"proa/reconcile/podcontrol"
)

// writeRevisions brings the target revision in line before any pod is labelled with it.
func writeRevisions(ctx context.Context, req reconcile.Request, r *rollout) error {
	if r.added != nil {
		if _, err := req.Client.Create(ctx, client.RefOf(revisionTable, r.added), "", r.added, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("create revision %s: %w", r.added.Name, err)
		}
	}
	if r.renumbered != nil {
		if _, err := req.Client.Update(ctx, client.RefOf(revisionTable, r.renumbered), "", r.renumbered, metav1.UpdateOptions{}); err != nil {
			return fmt.Errorf("update revision %s: %w", r.renumbered.Name, err)
		}
	}
	return nil
}

func removeRevisions(ctx context.Context, req reconcile.Request, revisions []*appsv1.ControllerRevision) error {
	for _, revision := range revisions {
		opts := metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(revision.UID))}
		err := req.Client.Delete(ctx, client.RefOf(revisionTable, revision), opts)
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("delete revision %s: %w", revision.Name, err)
		}
	}
	return nil
}

// applyPods carries out the actions: those of a set in order one by one up to the first that fails, else in batches that grow
// while all goes well. gone are the pods that it deleted.
func applyPods(ctx context.Context, req reconcile.Request, r *rollout) (gone map[*corev1.Pod]bool, err error) {
	f := func(i int) error { return apply(ctx, req, r.set, r.actions[i]) }
	var errs []error
	if r.ordered() {
		for i := 0; i < len(r.actions) && err == nil; i++ {
			err = f(i)
			errs = append(errs, err)
		}
	} else {
		errs = podcontrol.SlowStart(req.Parallel, len(r.actions), f, nil)
	}
	gone = map[*corev1.Pod]bool{}
	for i, e := range errs {
		if e == nil && r.actions[i].verb == remove {
			gone[r.actions[i].pod] = true
		}
		err = cmp.Or(err, e)
	}
	return gone, err
}

// apply carries out one action and tells of it.
func apply(ctx context.Context, req reconcile.Request, set *appsv1.StatefulSet, a action) error {
	ref := client.RefOf("pods", a.pod)
	if err := writeClaims(ctx, req, set, a); err != nil {
		if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
			return nil
		}
		return err
	}
	switch a.verb {
	case keep:
		return nil
	case create:
		_, err := req.Client.Create(ctx, ref, "", a.pod, metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) { // a view that is newer shows whose it is
			return err
		}
		if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) { // nothing to tell, nor to try again
			return nil
		}
		return tell(req, set, "Create", a.pod, err)
	case update:
		_, err := req.Client.Update(ctx, ref, "", a.pod, metav1.UpdateOptions{})
		return tell(req, set, "Update", a.pod, err)
	}
	opts := metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(a.pod.UID))}
	err := req.Client.Delete(ctx, ref, opts)
	if apierrors.IsNotFound(err) {
		err = nil
	}
	return tell(req, set, "Delete", a.pod, err)
}

// tell says in an event what became of a pod, and returns err.
func tell(req reconcile.Request, set *appsv1.StatefulSet, verb string, pod *corev1.Pod, err error) error {
	if err == nil {
		req.Events.Eventf(set, corev1.EventTypeNormal, "Successful"+verb, "%s Pod %s in StatefulSet %s successful", verb, pod.Name, set.Name)
	} else {
		req.Events.Eventf(set, corev1.EventTypeWarning, "Failed"+verb, "%s Pod %s in StatefulSet %s failed error: %s", verb, pod.Name, set.Name, err)
	}
	return err
}

func writeStatus(ctx context.Context, c client.Client, set *appsv1.StatefulSet, next appsv1.StatefulSetStatus) error {
	set = set.DeepCopy()
	set.Status = next
	_, err := c.Update(ctx, client.RefOf(table, set), "status", set, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
