package disruption

import (
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"proa/client"
	"proa/reconcile/podstate"
)

// deletionTimeout is how long an evicted pod counts as gone before its deletion is seen.
const deletionTimeout = 2 * time.Minute

// account is a decision in the making.
type account struct {
	budget *policyv1.PodDisruptionBudget
	pods   []*corev1.Pod // those that the budget selects
	view   client.View
	now    time.Time

	survivors []*corev1.Pod // evicted, and still there
	recheck   time.Duration
}

// status is what the budget's status should be. It fails where nobody knows how many pods there should be.
func (a *account) status() (policyv1.PodDisruptionBudgetStatus, error) {
	expected, desired, err := a.expected()
	if err != nil {
		return policyv1.PodDisruptionBudgetStatus{}, err
	}
	disrupted := a.disrupted()
	healthy := int32(0)
	for _, pod := range a.pods {
		if _, gone := disrupted[pod.Name]; !gone && pod.DeletionTimestamp == nil && podstate.Ready(pod) {
			healthy++
		}
	}
	allowed := int32(0)
	if expected > 0 {
		allowed = max(0, healthy-desired)
	}
	status := policyv1.PodDisruptionBudgetStatus{
		ObservedGeneration: a.budget.Generation, DisruptedPods: disrupted, DisruptionsAllowed: allowed,
		CurrentHealthy: healthy, DesiredHealthy: desired, ExpectedPods: expected,
	}
	c := metav1.Condition{Status: metav1.ConditionTrue, Reason: policyv1.SufficientPodsReason}
	if allowed == 0 {
		c.Status, c.Reason = metav1.ConditionFalse, policyv1.InsufficientPodsReason
	}
	status.Conditions = a.conditions(c)
	return status, nil
}

// unknown allows nothing.
func (a *account) unknown(why error) policyv1.PodDisruptionBudgetStatus {
	status := *a.budget.Status.DeepCopy()
	status.DisruptionsAllowed = 0
	status.ObservedGeneration = a.budget.Generation
	status.Conditions = a.conditions(metav1.Condition{Status: metav1.ConditionFalse, Reason: policyv1.SyncFailedReason, Message: why.Error()})
	return status
}

func (a *account) conditions(c metav1.Condition) []metav1.Condition {
	all := append([]metav1.Condition(nil), a.budget.Status.Conditions...)
	c.Type, c.ObservedGeneration, c.LastTransitionTime = policyv1.DisruptionAllowedCondition, a.budget.Generation, metav1.NewTime(a.now).Rfc3339Copy()
	apimeta.SetStatusCondition(&all, c)
	return all
}

// disrupted are the evicted pods whose deletion is not seen yet.
func (a *account) disrupted() map[string]metav1.Time {
	left := map[string]metav1.Time{}
	for _, pod := range a.pods {
		at, evicted := a.budget.Status.DisruptedPods[pod.Name]
		if !evicted || pod.DeletionTimestamp != nil {
			continue
		}
		rest := at.Add(deletionTimeout).Sub(a.now)
		if rest <= 0 {
			a.survivors = append(a.survivors, pod)
			continue
		}
		left[pod.Name] = at
		if a.recheck == 0 || rest < a.recheck {
			a.recheck = rest
		}
	}
	if len(left) == 0 {
		return nil
	}
	return left
}

// expected is how many pods there should be, and how many of them must be healthy.
func (a *account) expected() (expected, desired int32, err error) {
	spec := &a.budget.Spec
	switch {
	case spec.MaxUnavailable != nil:
		if expected, err = a.scale(); err != nil {
			return 0, 0, err
		}
		most, err := intstr.GetScaledValueFromIntOrPercent(spec.MaxUnavailable, int(expected), true)
		if err != nil {
			return 0, 0, fmt.Errorf("read maxUnavailable: %w", err)
		}
		return expected, max(0, expected-int32(most)), nil
	case spec.MinAvailable == nil:
		return int32(len(a.pods)), 0, nil
	case spec.MinAvailable.Type == intstr.Int:
		return int32(len(a.pods)), spec.MinAvailable.IntVal, nil
	}
	if expected, err = a.scale(); err != nil {
		return 0, 0, err
	}
	least, err := intstr.GetScaledValueFromIntOrPercent(spec.MinAvailable, int(expected), true)
	if err != nil {
		return 0, 0, fmt.Errorf("read minAvailable: %w", err)
	}
	return expected, int32(least), nil
}

// scale is how many pods the controllers of the pods want, all together.
func (a *account) scale() (int32, error) {
	total := int32(0)
	seen := map[types.UID]bool{}
	for _, pod := range a.pods {
		ref := metav1.GetControllerOfNoCopy(pod)
		if ref == nil {
			return 0, fmt.Errorf("found no controller ref for pod %q", pod.Name)
		}
		if seen[ref.UID] {
			continue
		}
		seen[ref.UID] = true
		uid, replicas, found := a.wanted(ref)
		if !found {
			return 0, fmt.Errorf("found no controllers for pod %q", pod.Name)
		}
		if uid == ref.UID || !seen[uid] {
			total += replicas
		}
		seen[uid] = true
	}
	return total, nil
}

// wanted is how many pods a controller wants, or the one above it that decides.
func (a *account) wanted(ref *metav1.OwnerReference) (types.UID, int32, bool) {
	namespace := a.budget.Namespace
	switch ref.Kind {
	case "ReplicaSet":
		set, ok := client.Get[*appsv1.ReplicaSet](a.view, "replicasets.apps", namespace, ref.Name)
		if !ok || set.UID != ref.UID {
			return "", 0, false
		}
		if above := metav1.GetControllerOfNoCopy(set); above != nil && above.Kind == "Deployment" {
			d, ok := client.Get[*appsv1.Deployment](a.view, "deployments.apps", namespace, above.Name)
			if !ok || d.UID != above.UID {
				return "", 0, false
			}
			return d.UID, ptr.Deref(d.Spec.Replicas, 0), true
		}
		return set.UID, ptr.Deref(set.Spec.Replicas, 0), true
	case "StatefulSet":
		set, ok := client.Get[*appsv1.StatefulSet](a.view, "statefulsets.apps", namespace, ref.Name)
		if !ok || set.UID != ref.UID {
			return "", 0, false
		}
		return set.UID, ptr.Deref(set.Spec.Replicas, 0), true
	case "ReplicationController":
		rc, ok := client.Get[*corev1.ReplicationController](a.view, "replicationcontrollers", namespace, ref.Name)
		if !ok || rc.UID != ref.UID {
			return "", 0, false
		}
		return rc.UID, ptr.Deref(rc.Spec.Replicas, 0), true
	}
	return "", 0, false
}
