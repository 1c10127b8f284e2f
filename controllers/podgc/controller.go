// Package podgc deletes pods that nobody else will: those whose node is gone, those that were deleted before they had a
// node, those that terminate on a node that is out of service, and ended ones beyond a threshold.
//
// It decides that a node is gone only after a quarantine, and asks the API itself once more; it owns nothing; the
// controller host calls it. When the API is gone, pods stay as they are.
package podgc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/client"
	"proa/reconcile"
	"proa/reconcile/podstate"
)

// Upstream's limits.
const (
	quarantine       = 40 * time.Second
	DefaultThreshold = 12500
)

// The keys are pods, and these without a namespace.
const (
	nodePrefix = "node/" // all pods of a node
	ended      = "ended" // all pods that have ended
)

type collector struct {
	threshold int

	mu struct {
		sync.Mutex
		missing map[string]time.Time // nodes that pods name but that were not there, since when
	}
}

// New makes the controller; it keeps at most threshold ended pods.
func New(threshold int) reconcile.Controller {
	c := &collector{threshold: threshold}
	c.mu.missing = map[string]time.Time{}
	return reconcile.Controller{
		Name:     "podgc",
		Identity: "system:serviceaccount:kube-system:pod-garbage-collector",
		Reads: []reconcile.Read{
			{Table: "pods", Keys: keysOfPod},
			{Table: "nodes", Keys: keysOfNode},
		},
		Deletes:   []string{"pods"},
		Reconcile: c.run,
	}
}

func keysOfPod(view client.View, event client.Event) []reconcile.Key {
	pod, ok := event.Object.(*corev1.Pod)
	if !ok || event.Type == client.Deleted {
		return nil
	}
	var keys []reconcile.Key
	if old, ok := event.Old.(*corev1.Pod); podstate.Terminal(pod) && !(ok && podstate.Terminal(old)) {
		keys = append(keys, reconcile.Key{Name: ended})
	}
	if pod.DeletionTimestamp != nil {
		keys = append(keys, reconcile.KeyOf(pod))
	}
	if pod.Spec.NodeName != "" && view.Get(client.Ref{Table: "nodes", Name: pod.Spec.NodeName}) == nil {
		keys = append(keys, reconcile.Key{Name: nodePrefix + pod.Spec.NodeName})
	}
	return keys
}

func keysOfNode(_ client.View, event client.Event) []reconcile.Key {
	node, ok := event.Object.(*corev1.Node)
	if ok && (event.Type == client.Deleted || outOfService(node)) {
		return []reconcile.Key{{Name: nodePrefix + node.Name}}
	}
	return nil
}

func (c *collector) run(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	switch {
	case req.Namespace != "":
		return reconcile.Result{}, runPod(ctx, req)
	case req.Name == ended:
		return reconcile.Result{}, c.runEnded(ctx, req)
	}
	return c.runNode(ctx, req, strings.TrimPrefix(req.Name, nodePrefix))
}

// runPod deletes a terminating pod that no node agent will let go.
func runPod(ctx context.Context, req reconcile.Request) error {
	pod, ok := client.Get[*corev1.Pod](req.View, "pods", req.Namespace, req.Name)
	if !ok || pod.DeletionTimestamp == nil {
		return nil
	}
	node, known := client.Get[*corev1.Node](req.View, "nodes", "", pod.Spec.NodeName)
	if pod.Spec.NodeName == "" || known && outOfService(node) {
		return end(ctx, req, pod, nil)
	}
	return nil
}

func (c *collector) runEnded(ctx context.Context, req reconcile.Request) error {
	if c.threshold <= 0 {
		return nil
	}
	var pods []*corev1.Pod
	for pod := range client.List[*corev1.Pod](req.View, "pods", "") {
		pods = append(pods, pod)
	}
	return endAll(ctx, req, beyond(pods, c.threshold), nil)
}

// runNode deletes the pods of a node that is gone, and the terminating ones of a node that is out of service.
func (c *collector) runNode(ctx context.Context, req reconcile.Request, name string) (reconcile.Result, error) {
	node, exists := client.Get[*corev1.Node](req.View, "nodes", "", name)
	var pods []*corev1.Pod
	for pod := range client.List[*corev1.Pod](req.View, "pods", "") {
		if pod.Spec.NodeName == name && (!exists || pod.DeletionTimestamp != nil) {
			pods = append(pods, pod)
		}
	}
	wait := c.quarantined(name, exists || len(pods) == 0, req.Now)
	switch {
	case len(pods) == 0:
		return reconcile.Result{}, nil
	case exists && outOfService(node):
		return reconcile.Result{}, endAll(ctx, req, pods, nil)
	case exists:
		return reconcile.Result{}, nil
	case wait > 0:
		return reconcile.Result{After: wait}, nil
	}
	if _, err := req.Client.GetLive(ctx, client.Ref{Table: "nodes", Name: name}); !apierrors.IsNotFound(err) {
		return reconcile.Result{}, err
	}
	return reconcile.Result{}, endAll(ctx, req, pods, &corev1.PodCondition{
		Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue,
		Reason: "DeletionByPodGC", Message: "PodGC: node no longer exists",
		LastTransitionTime: metav1.NewTime(req.Now.Truncate(time.Second)),
	})
}

// quarantined is how long a missing node is still given: it may be about to register.
func (c *collector) quarantined(name string, forget bool, now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if forget {
		delete(c.mu.missing, name)
		return 0
	}
	since, ok := c.mu.missing[name]
	if !ok {
		since = now
		c.mu.missing[name] = now
	}
	return since.Add(quarantine).Sub(now)
}

func endAll(ctx context.Context, req reconcile.Request, pods []*corev1.Pod, condition *corev1.PodCondition) error {
	return errors.Join(reconcile.Each(req.Parallel, len(pods), func(i int) error { return end(ctx, req, pods[i], condition) })...)
}

// end marks a pod as failed, so that whoever counts pods learns how it ended, and deletes it at once.
func end(ctx context.Context, req reconcile.Request, pod *corev1.Pod, condition *corev1.PodCondition) error {
	if !podstate.Terminal(pod) {
		if err := fail(ctx, req.Client, pod, condition); err != nil {
			return ignoreNotFound(err)
		}
	}
	opts := metav1.NewDeleteOptions(0)
	opts.Preconditions = metav1.NewUIDPreconditions(string(pod.UID))
	return ignoreNotFound(req.Client.Delete(ctx, client.RefOf("pods", pod), *opts))
}

func fail(ctx context.Context, c client.Client, pod *corev1.Pod, condition *corev1.PodCondition) error {
	status := map[string]any{"phase": corev1.PodFailed}
	if condition != nil {
		status["conditions"] = []corev1.PodCondition{*condition}
	}
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": pod.UID}, "status": status})
	if err != nil {
		return err
	}
	_, err = c.Patch(ctx, client.RefOf("pods", pod), "status", types.StrategicMergePatchType, body, metav1.PatchOptions{})
	if err != nil {
		return fmt.Errorf("mark pod %s/%s as failed: %w", pod.Namespace, pod.Name, err)
	}
	return nil
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
