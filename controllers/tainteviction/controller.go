// Package tainteviction evicts pods from Nodes with a NoExecute taint that they do not tolerate, or no longer.
//
// It decides when each pod goes; it owns nothing; the controller host calls it. Times are reckoned from the taint, so a
// restart neither hastens nor delays an eviction; while the API is gone nothing is evicted.
package tainteviction

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/client"
	"proa/reconcile"
)

// New makes the controller. Its keys are pods.
func New() reconcile.Controller {
	c := &controller{}
	c.mu.scheduled = map[reconcile.Key]struct{}{}
	return reconcile.Controller{
		Name:     "tainteviction",
		Identity: "system:serviceaccount:kube-system:node-controller",
		Source:   "taint-eviction-controller",
		Reads: []reconcile.Read{
			{Table: "pods", Keys: keysOfPod},
			{Table: "nodes", Keys: keysOfNode},
		},
		Writes:    []string{"pods/status.conditions[DisruptionTarget](by NoExecute taints)"},
		Deletes:   []string{"pods"},
		Reconcile: c.run,
		Workers:   8,
	}
}

// controller remembers which pods are to be evicted later, only to tell users when they no longer are.
type controller struct {
	mu struct {
		sync.Mutex
		scheduled map[reconcile.Key]struct{}
	}
}

// keysOfPod brings up a pod when it comes to a tainted node, or when its tolerations change there.
func keysOfPod(view client.View, event client.Event) []reconcile.Key {
	pod, ok := event.Object.(*corev1.Pod)
	if !ok || pod.Spec.NodeName == "" {
		return nil
	}
	old, _ := event.Old.(*corev1.Pod)
	unchanged := event.Type == client.Updated && old != nil &&
		old.Spec.NodeName == pod.Spec.NodeName && len(old.Spec.Tolerations) == len(pod.Spec.Tolerations)
	node, ok := client.Get[*corev1.Node](view, "nodes", "", pod.Spec.NodeName)
	if unchanged || event.Type != client.Deleted && (!ok || !evicts(node)) {
		return nil
	}
	return []reconcile.Key{reconcile.KeyOf(pod)}
}

// keysOfNode brings up all pods of a node whose NoExecute taints have changed.
func keysOfNode(view client.View, event client.Event) []reconcile.Key {
	node, _ := event.Object.(*corev1.Node)
	old, _ := event.Old.(*corev1.Node)
	if node == nil || event.Type == client.Deleted || !evicts(node) && (old == nil || !evicts(old)) {
		return nil
	}
	var keys []reconcile.Key
	for pod := range client.List[*corev1.Pod](view, "pods", "") {
		if pod.Spec.NodeName == node.Name {
			keys = append(keys, reconcile.KeyOf(pod))
		}
	}
	return keys
}

func evicts(node *corev1.Node) bool {
	for _, taint := range node.Spec.Taints {
		if taint.Effect == corev1.TaintEffectNoExecute {
			return true
		}
	}
	return false
}

func (c *controller) run(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	pod, ok := client.Get[*corev1.Pod](req.View, "pods", req.Namespace, req.Name)
	if !ok || pod.DeletionTimestamp != nil {
		c.schedule(req.Key, false)
		return reconcile.Result{}, nil
	}
	var v verdict
	if node, ok := client.Get[*corev1.Node](req.View, "nodes", "", pod.Spec.NodeName); ok {
		v = decide(pod, node.Spec.Taints, req.Now)
	}
	if was := c.schedule(req.Key, v.after > 0); was && !v.evict {
		req.Events.Eventf(pod, corev1.EventTypeNormal, "TaintManagerEviction", "Cancelling deletion of Pod %s", req.Key)
	}
	if !v.evict || v.after > 0 {
		return reconcile.Result{After: v.after}, nil
	}
	req.Events.Eventf(pod, corev1.EventTypeNormal, "TaintManagerEviction", "Marking for deletion Pod %s", req.Key)
	return reconcile.Result{}, evict(ctx, req, pod)
}

// schedule notes whether a pod is to be evicted later, and returns whether it was before.
func (c *controller) schedule(key reconcile.Key, later bool) (was bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, was = c.mu.scheduled[key]
	if later {
		c.mu.scheduled[key] = struct{}{}
	} else {
		delete(c.mu.scheduled, key)
	}
	return was
}

// evict notes why the pod ends, and deletes it with its own time of grace.
func evict(ctx context.Context, req reconcile.Request, pod *corev1.Pod) error {
	body, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": pod.UID},
		"status": map[string]any{"conditions": []corev1.PodCondition{{
			Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue,
			Reason: "DeletionByTaintManager", Message: "Taint manager: deleting due to NoExecute taint",
			LastTransitionTime: metav1.NewTime(req.Now.Truncate(time.Second)),
		}}},
	})
	if err != nil {
		return err
	}
	ref := client.RefOf("pods", pod)
	if _, err := req.Client.Patch(ctx, ref, "status", types.StrategicMergePatchType, body, metav1.PatchOptions{}); err != nil {
		return ignoreNotFound(fmt.Errorf("mark pod %s: %w", req.Key, err))
	}
	opts := metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(pod.UID))}
	return ignoreNotFound(req.Client.Delete(ctx, ref, opts))
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
