// Package disruption keeps account, for each PodDisruptionBudget, of how many of its pods may be disrupted.
//
// It decides what the status says, which evictions are held against; it owns that status, but for what an eviction takes
// from it; the controller host calls it. When it cannot tell how many pods there should be, it allows no disruption and says
// so in the DisruptionAllowed condition.
package disruption

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"proa/client"
	"proa/reconcile"
)

const table = "poddisruptionbudgets.policy"

// New makes the controller.
func New() reconcile.Controller {
	return reconcile.Controller{
		Name:     "disruption",
		Identity: "system:serviceaccount:kube-system:disruption-controller",
		Source:   "controllermanager",
		Reads: []reconcile.Read{
			{Table: table, Keys: reconcile.Self},
			{Table: "pods", Keys: keysOfPod},
			{Table: "replicasets.apps", Keys: keysOfOwner},
			{Table: "deployments.apps", Keys: keysOfOwner},
			{Table: "statefulsets.apps", Keys: keysOfOwner},
			{Table: "replicationcontrollers", Keys: keysOfOwner},
		},
		Writes:    []string{table + "/status"},
		Reconcile: run,
	}
}

// keysOfPod are the budgets that select the pod, or did before the change.
func keysOfPod(view client.View, event client.Event) []reconcile.Key {
	var keys []reconcile.Key
	for budget := range client.List[*policyv1.PodDisruptionBudget](view, table, event.Object.GetNamespace()) {
		selector, err := metav1.LabelSelectorAsSelector(budget.Spec.Selector)
		if err != nil {
			continue
		}
		if selector.Matches(labels.Set(event.Object.GetLabels())) || event.Old != nil && selector.Matches(labels.Set(event.Old.GetLabels())) {
			keys = append(keys, reconcile.KeyOf(budget))
		}
	}
	return keys
}

// keysOfOwner are all budgets of the namespace when the number of pods that an owner wants may have changed.
func keysOfOwner(view client.View, event client.Event) []reconcile.Key {
	if event.Old != nil && event.Object.GetGeneration() == event.Old.GetGeneration() {
		return nil
	}
	var keys []reconcile.Key
	for budget := range view.List(table, event.Object.GetNamespace()) {
		keys = append(keys, reconcile.KeyOf(budget))
	}
	return keys
}

func run(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	budget, ok := client.Get[*policyv1.PodDisruptionBudget](req.View, table, req.Namespace, req.Name)
	if !ok {
		return reconcile.Result{}, nil
	}
	selector, err := metav1.LabelSelectorAsSelector(budget.Spec.Selector)
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("read selector of %s: %w", req.Key, err)
	}
	var pods []*corev1.Pod
	for pod := range client.List[*corev1.Pod](req.View, "pods", budget.Namespace) {
		if selector.Matches(labels.Set(pod.Labels)) {
			pods = append(pods, pod)
		}
	}
	if len(pods) == 0 {
		req.Events.Eventf(budget, corev1.EventTypeNormal, "NoPods", "No matching pods found")
	}
	a := &account{budget: budget, pods: pods, view: req.View, now: req.Now}
	status, err := a.status()
	if err != nil {
		req.Events.Eventf(budget, corev1.EventTypeWarning, "CalculateExpectedPodCountFailed", "Failed to calculate the number of expected pods: %v", err)
		status = a.unknown(err)
	}
	for _, pod := range a.survivors {
		req.Events.Eventf(pod, corev1.EventTypeWarning, "NotDeleted", "Pod was expected by PDB %s/%s to be deleted but it wasn't", budget.Namespace, budget.Name)
	}
	result := reconcile.Result{After: a.recheck}
	if equality.Semantic.DeepEqual(status, budget.Status) {
		return result, nil
	}
	next := budget.DeepCopy()
	next.Status = status
	if _, err := req.Client.Update(ctx, client.RefOf(table, budget), "status", next, metav1.UpdateOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return result, err
	}
	return result, nil
}
