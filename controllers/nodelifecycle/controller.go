// Package nodelifecycle notices Nodes that have fallen silent and marks what follows from a node's condition.
//
// It decides when a node counts as lost, which taints its conditions bring, and that the pods of a lost node are not
// ready; it owns these taints; the controller host calls it. Taints evict through the taint eviction controller. When the
// API is gone nothing is marked; after a restart of this process every node has its time of grace anew.
package nodelifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/reconcile"
	"proa/reconcile/podstate"
)

const (
	table      = "nodes"
	leaseTable = "leases.coordination.k8s.io"
)

// New makes the controller. A node counts as lost after grace without a sign of life.
func New(grace time.Duration) reconcile.Controller {
	c := &controller{beats: newHeartbeats(), pace: newPace(), grace: grace}
	return reconcile.Controller{
		Name:     "nodelifecycle",
		Identity: "system:serviceaccount:kube-system:node-controller",
		Reads: []reconcile.Read{
			{Table: table, Keys: keysOfNode},
			{Table: leaseTable, Keys: keysOfLease},
			{Table: "pods", Keys: keysOfPod},
		},
		Writes: []string{
			"nodes/status.conditions(of a silent node)", "nodes/spec.taints[node.kubernetes.io]",
			"pods/status.conditions[Ready](on a silent node)",
		},
		Reconcile: c.run,
		Workers:   4,
	}
}

type controller struct {
	beats *heartbeats
	pace  *pace
	grace time.Duration
}

// keysOfNode are the node itself, and all unready ones when one becomes ready or unready: what is done about them depends
// on whether any is ready.
func keysOfNode(view client.View, event client.Event) []reconcile.Key {
	keys := []reconcile.Key{reconcile.KeyOf(event.Object)}
	node, _ := event.Object.(*corev1.Node)
	old, _ := event.Old.(*corev1.Node)
	if node == nil || event.Type == client.Updated && old != nil && readiness(old) == readiness(node) {
		return keys
	}
	for other := range client.List[*corev1.Node](view, table, "") {
		if other.Name != node.Name && readiness(other) != corev1.ConditionTrue {
			keys = append(keys, reconcile.KeyOf(other))
		}
	}
	return keys
}

// keysOfLease brings up a node at every sign of life, to set the time of the next look.
func keysOfLease(_ client.View, event client.Event) []reconcile.Key {
	if event.Object.GetNamespace() != corev1.NamespaceNodeLease {
		return nil
	}
	return []reconcile.Key{{Name: event.Object.GetName()}}
}

// keysOfPod brings up a silent node when a pod on it still counts as ready.
func keysOfPod(view client.View, event client.Event) []reconcile.Key {
	pod, ok := event.Object.(*corev1.Pod)
	if !ok || event.Type == client.Deleted || !podstate.Ready(pod) {
		return nil
	}
	node, ok := client.Get[*corev1.Node](view, table, "", pod.Spec.NodeName)
	if !ok || !lost(node) {
		return nil
	}
	return []reconcile.Key{{Name: node.Name}}
}

func (c *controller) run(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	node, ok := client.Get[*corev1.Node](req.View, table, "", req.Name)
	if !ok {
		c.beats.forget(req.Name)
		return reconcile.Result{}, nil
	}
	lease, _ := client.Get[*coordinationv1.Lease](req.View, leaseTable, corev1.NamespaceNodeLease, req.Name)
	allowed := c.grace
	if condition(node.Status.Conditions, corev1.NodeReady) == nil {
		allowed = max(startupGrace, c.grace)
	}
	left := c.beats.observe(node, lease, req.Now).Add(allowed).Sub(req.Now)
	if left <= 0 {
		left = 0 // the next sign of life brings the node up again
		if done, err := silence(ctx, req, node); done || err != nil {
			return reconcile.Result{}, err
		}
	}
	pause, err := c.mark(ctx, req, node)
	if err != nil {
		return reconcile.Result{}, ignoreNotFound(err)
	}
	if pause > 0 && (left == 0 || pause < left) {
		left = pause
	}
	if lost(node) {
		err = unready(ctx, req, node.Name)
	}
	return reconcile.Result{After: left}, err
}

// mark writes the node's taints. A taint that evicts may have to wait for the node's turn: pause is how long.
func (c *controller) mark(ctx context.Context, req reconcile.Request, node *corev1.Node) (pause time.Duration, err error) {
	var nodes []*corev1.Node
	for other := range client.List[*corev1.Node](req.View, table, "") {
		nodes = append(nodes, other)
	}
	allowed, between := decidePace(nodes, zoneOf(node))
	next, changed, adds := taints(node, allowed, req.Now)
	if adds {
		if pause = c.pace.take(zoneOf(node), between, req.Now); pause > 0 {
			next, changed, _ = taints(node, keepEviction, req.Now)
		}
	}
	if !changed {
		return pause, nil
	}
	marked := node.DeepCopy()
	marked.Spec.Taints = next
	_, err = req.Client.Update(ctx, client.RefOf(table, marked), "", marked, metav1.UpdateOptions{})
	return pause, err
}

// silence writes that nobody knows a lost node's conditions; done is false when they say so already.
func silence(ctx context.Context, req reconcile.Request, node *corev1.Node) (done bool, err error) {
	conditions, changed := silentConditions(node, req.Now)
	if !changed {
		return false, nil
	}
	wasReady := readiness(node) == corev1.ConditionTrue
	next := node.DeepCopy()
	next.Status.Conditions = conditions
	if _, err := req.Client.Update(ctx, client.RefOf(table, next), "status", next, metav1.UpdateOptions{}); err != nil {
		return true, ignoreNotFound(err)
	}
	if wasReady {
		req.Events.Eventf(node, corev1.EventTypeNormal, "NodeNotReady", "Node %s status is now: %s", node.Name, "NodeNotReady")
	}
	return true, nil
}

// unready marks the pods of a silent node as not ready, so that no service sends anything there. A node that is only
// unready has an agent that speaks for its pods.
func unready(ctx context.Context, req reconcile.Request, name string) error {
	var pods []*corev1.Pod
	for pod := range client.List[*corev1.Pod](req.View, "pods", "") {
		if pod.Spec.NodeName == name && podstate.Ready(pod) {
			pods = append(pods, pod)
		}
	}
	errs := reconcile.Each(req.Parallel, len(pods), func(i int) error {
		pod := pods[i].DeepCopy()
		c := podstate.Condition(pod, corev1.PodReady)
		c.Status, c.LastTransitionTime = corev1.ConditionFalse, metav1.NewTime(req.Now.Truncate(time.Second))
		_, err := req.Client.Update(ctx, client.RefOf("pods", pod), "status", pod, metav1.UpdateOptions{})
		if err != nil {
			return ignoreNotFound(fmt.Errorf("mark pod %s/%s as not ready: %w", pod.Namespace, pod.Name, err))
		}
		req.Events.Eventf(pod, corev1.EventTypeWarning, "NodeNotReady", "Node is not ready")
		return nil
	})
	return errors.Join(errs...)
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
