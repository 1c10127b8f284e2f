package daemonset

import (
	"context"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/client"
	"proa/reconcile"
	"proa/reconcile/podcontrol"
)

// writeRevisions brings the revisions in line before any pod is labelled with them.
func writeRevisions(ctx context.Context, req reconcile.Request, r *rollout) error {
	if r.create != nil {
		if _, err := req.Client.Create(ctx, client.RefOf(revisionTable, r.create), "", r.create, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("create revision %s: %w", r.create.Name, err)
		}
	}
	for _, revision := range r.update {
		if _, err := req.Client.Update(ctx, client.RefOf(revisionTable, revision), "", revision, metav1.UpdateOptions{}); err != nil {
			return fmt.Errorf("update revision %s: %w", revision.Name, err)
		}
	}
	for _, pod := range r.relabel {
		patch := fmt.Sprintf(`{"metadata":{"labels":{%q:%q}}}`, hashLabel, r.hash)
		_, err := req.Client.Patch(ctx, client.RefOf("pods", pod), "", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("relabel pod %s: %w", pod.Name, err)
		}
	}
	return removeRevisions(ctx, req, r.remove)
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

// applyPods creates and deletes pods; done says how many.
func (c *controller) applyPods(ctx context.Context, req reconcile.Request, r *rollout) (done int, err error) {
	for _, node := range r.failed {
		c.patience.lost(keyOf(r.set, node), req.Now)
	}
	for _, e := range r.events {
		req.Events.Eventf(r.set, e.kind, e.reason, "%s", e.message)
	}
	created, createErr := podcontrol.Create(ctx, req, r.set, r.start)
	deleted, deleteErr := podcontrol.Delete(ctx, req, r.set, r.stop)
	return created + deleted, errors.Join(createErr, deleteErr)
}

// raiseCollisions makes the next hash another one.
func raiseCollisions(ctx context.Context, req reconcile.Request, set *appsv1.DaemonSet) error {
	next := *set.Status.DeepCopy()
	count := int32(1)
	if next.CollisionCount != nil {
		count += *next.CollisionCount
	}
	next.CollisionCount = &count
	return writeStatus(ctx, req.Client, set, next)
}

func writeStatus(ctx context.Context, c client.Client, set *appsv1.DaemonSet, next appsv1.DaemonSetStatus) error {
	set = set.DeepCopy()
	set.Status = next
	_, err := c.Update(ctx, client.RefOf(table, set), "status", set, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
