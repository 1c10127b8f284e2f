// Package deployment rolls out what Deployments declare, by sizing replica sets.
//
// It decides which replica set a deployment's template belongs to, how fast pods move to it, and what the status says of
// progress; it owns the size of a deployment's replica sets and the status and revision of deployments; the controller host
// calls it. When a replica set cannot be written the deployment says so, and the step is tried again.
package deployment

import (
	"context"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/client"
	"proa/reconcile"
	"proa/reconcile/claim"
)

const (
	table           = "deployments.apps"
	replicaSetTable = "replicasets.apps"
)

var (
	kind           = appsv1.SchemeGroupVersion.WithKind("Deployment")
	replicaSetKind = appsv1.SchemeGroupVersion.WithKind("ReplicaSet")
)

// New makes the controller.
func New() reconcile.Controller {
	return reconcile.Controller{
		Name:     "deployment",
		Identity: "system:serviceaccount:kube-system:deployment-controller",
		Reads: []reconcile.Read{
			{Table: table, Keys: reconcile.Self},
			{Table: replicaSetTable, Keys: claim.Owners{Table: table, Kind: kind, Selector: selectorOf}.Keys},
			{Table: "pods", Keys: keysOfPod},
		},
		Writes: []string{
			"deployments.apps/status",
			"deployments.apps/metadata.annotations[deployment.kubernetes.io/revision]",
			"replicasets.apps(owned by a Deployment)",
			"replicasets.apps/metadata.ownerReferences(Deployment)",
		},
		Deletes:   []string{replicaSetTable},
		Reconcile: run,
		Workers:   5,
	}
}

func selectorOf(obj client.Object) *metav1.LabelSelector {
	return obj.(*appsv1.Deployment).Spec.Selector
}

// keysOfPod wakes a deployment of the Recreate strategy when a pod has gone or ended: it waits for the last one.
func keysOfPod(view client.View, event client.Event) []reconcile.Key {
	pod, ok := event.Object.(*corev1.Pod)
	ended := ok && (pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed)
	if event.Type != client.Deleted && !ended {
		return nil
	}
	var keys []reconcile.Key
	for _, owner := range reconcile.ControllerKeys(event, replicaSetKind) {
		rs, ok := client.Get[*appsv1.ReplicaSet](view, replicaSetTable, owner.Namespace, owner.Name)
		if !ok {
			continue
		}
		for _, key := range reconcile.ControllerKeys(client.Event{Object: rs}, kind) {
			d, ok := client.Get[*appsv1.Deployment](view, table, key.Namespace, key.Name)
			if ok && d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

func run(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	d, ok := client.Get[*appsv1.Deployment](req.View, table, req.Namespace, req.Name)
	if !ok {
		return reconcile.Result{}, nil
	}
	s, err := observe(ctx, req, d)
	if err != nil {
		return reconcile.Result{}, err
	}
	p := decide(s)
	return reconcile.Result{After: p.after}, apply(ctx, req, d, p)
}

// observe takes the snapshot, after adopting and releasing replica sets.
func observe(ctx context.Context, req reconcile.Request, d *appsv1.Deployment) (snapshot, error) {
	s := snapshot{deployment: d, now: req.Now, named: map[string]*appsv1.ReplicaSet{}}
	selector, err := metav1.LabelSelectorAsSelector(d.Spec.Selector)
	if err != nil {
		return s, fmt.Errorf("read selector of %s: %w", req.Key, err)
	}
	if selector.Empty() {
		return s, nil // nothing is claimed; decide tells the user
	}
	var all []*appsv1.ReplicaSet
	for rs := range client.List[*appsv1.ReplicaSet](req.View, replicaSetTable, d.Namespace) {
		all = append(all, rs)
		if strings.HasPrefix(rs.Name, d.Name) {
			s.named[rs.Name] = rs
		}
	}
	claimer := claim.Claimer{Client: req.Client, Owner: d, OwnerRef: client.RefOf(table, d), Kind: kind, Table: replicaSetTable}
	if s.replicaSets, err = claim.Claim(ctx, claimer, selector, all); err != nil {
		return s, err
	}
	if d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType {
		s.pods = podsOf(req.View, d.Namespace, s.replicaSets)
	}
	return s, nil
}

func podsOf(view client.View, namespace string, replicaSets []*appsv1.ReplicaSet) map[types.UID][]*corev1.Pod {
	pods := map[types.UID][]*corev1.Pod{}
	for _, rs := range replicaSets {
		pods[rs.UID] = nil
	}
	for pod := range client.List[*corev1.Pod](view, "pods", namespace) {
		owner := metav1.GetControllerOfNoCopy(pod)
		if owner == nil {
			continue
		}
		if list, ours := pods[owner.UID]; ours {
			pods[owner.UID] = append(list, pod)
		}
	}
	return pods
}

// apply carries out a plan. The status is written last: it speaks of what was done.
func apply(ctx context.Context, req reconcile.Request, d *appsv1.Deployment, p plan) error {
	if p.selectsAll {
		req.Events.Eventf(d, corev1.EventTypeWarning, "SelectingAll",
			"This deployment is selecting all pods. A non-empty selector is required.")
	}
	if p.create != nil {
		if err := create(ctx, req, d, p.create); err != nil {
			return err
		}
	}
	for _, rs := range p.update {
		if _, err := req.Client.Update(ctx, client.RefOf(replicaSetTable, rs), "", rs, metav1.UpdateOptions{}); err != nil {
			return fmt.Errorf("update replica set %s: %w", rs.Name, err)
		}
		tellScaled(req, d, rs.Name, p.from[rs.Name], *rs.Spec.Replicas)
	}
	for _, rs := range p.remove {
		opts := metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(rs.UID))}
		if err := req.Client.Delete(ctx, client.RefOf(replicaSetTable, rs), opts); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("delete replica set %s: %w", rs.Name, err)
		}
	}
	if p.deployment == nil {
		return nil
	}
	return writeStatus(ctx, req, p.deployment)
}

func create(ctx context.Context, req reconcile.Request, d *appsv1.Deployment, rs *appsv1.ReplicaSet) error {
	_, err := req.Client.Create(ctx, client.RefOf(replicaSetTable, rs), "", rs, metav1.CreateOptions{})
	switch {
	case err == nil:
		tellScaled(req, d, rs.Name, 0, *rs.Spec.Replicas)
		return nil
	case apierrors.IsAlreadyExists(err), apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return err // a view that is newer shows the collision; or there is nothing to tell
	}
	message := fmt.Sprintf("Failed to create new replica set %q: %v", rs.Name, err)
	if hasDeadline(d) {
		r := &rollout{snapshot: snapshot{now: req.Now}, d: d.DeepCopy()}
		r.setCondition(&r.d.Status, appsv1.DeploymentProgressing, corev1.ConditionFalse, "ReplicaSetCreateError", message)
		if !equality.Semantic.DeepEqual(r.d.Status, d.Status) {
			if writeErr := writeStatus(ctx, req, r.d); writeErr != nil {
				req.Log.Debug("status not written", "error", writeErr)
			}
		}
	}
	req.Events.Eventf(d, corev1.EventTypeWarning, "ReplicaSetCreateError", "%s", message)
	return err
}

func tellScaled(req reconcile.Request, d *appsv1.Deployment, name string, from, to int32) {
	direction := "up"
	if to < from {
		direction = "down"
	}
	if from != to {
		req.Events.Eventf(d, corev1.EventTypeNormal, "ScalingReplicaSet", "Scaled %s replica set %s from %d to %d", direction, name, from, to)
	}
}

func writeStatus(ctx context.Context, req reconcile.Request, d *appsv1.Deployment) error {
	_, err := req.Client.Update(ctx, client.RefOf(table, d), "status", d, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
