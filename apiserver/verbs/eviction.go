package verbs

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"proa/apiserver/admit"
	"proa/apiserver/encode"
	"proa/kinds/resource"
	"proa/store"
)

var evictionKind = policyv1.SchemeGroupVersion.WithKind("Eviction")

const (
	budgetTable = "poddisruptionbudgets.policy"
	// mostUnconfirmed bounds the evictions that the budget's controller has not seen yet.
	mostUnconfirmed = 2000
	// evictAgain is when a client that was refused may ask again, in seconds, while the budget is still being worked on.
	evictAgain = 10
)

// Evict deletes a pod on behalf of who drains its node, unless that takes more than the pod's budget allows. What it takes is
// noted in the budget, before the pod is deleted.
func (v *Verbs) Evict(ctx context.Context, q Request, eviction *policyv1.Eviction, dryRun []string) error {
	if eviction.Name != "" && eviction.Name != q.Name {
		return apierrors.NewBadRequest("name in URL does not match name in Eviction object")
	}
	opts := metav1.DeleteOptions{}
	if eviction.DeleteOptions != nil {
		opts = *eviction.DeleteOptions
	}
	if len(dryRun) > 0 {
		opts.DryRun = dryRun
	}
	item := v.Store.Snapshot().Get(q.key())
	if item == nil {
		return notFound(&q)
	}
	pod, ok := item.Value().(*corev1.Pod)
	if !ok {
		return notFound(&q)
	}
	if err := v.admitEviction(ctx, &q, eviction, pod, isDryRun(opts.DryRun)); err != nil {
		return err
	}
	if unprotected(pod) {
		_, err := v.Delete(ctx, q, opts)
		return err
	}
	if err := v.spend(ctx, pod, isDryRun(opts.DryRun)); err != nil {
		return err
	}
	if err := v.markEvicted(ctx, q, pod, isDryRun(opts.DryRun)); err != nil {
		return err
	}
	if opts.Preconditions == nil {
		opts.Preconditions = &metav1.Preconditions{UID: &pod.UID}
	}
	_, err := v.Delete(ctx, q, opts)
	return err
}

// admitEviction asks admission about the eviction. What it leads to, a note in the budget and the pod's end, is part of it.
func (v *Verbs) admitEviction(ctx context.Context, q *Request, eviction *policyv1.Eviction, pod *corev1.Pod, dryRun bool) error {
	eviction = eviction.DeepCopy()
	eviction.SetGroupVersionKind(evictionKind)
	a := v.attributes(q, admit.Create, nil, pod, v.Store.Snapshot(), dryRun)
	a.Body = &admit.Body{Operation: admit.Create, Kind: evictionKind, Object: eviction}
	a.Options = &metav1.CreateOptions{TypeMeta: metav1.TypeMeta{APIVersion: metav1.SchemeGroupVersion.String(), Kind: "CreateOptions"}}
	if err := v.Admission.Admit(ctx, a); err != nil {
		return err
	}
	q.admitted = true
	return v.Admission.Validate(ctx, a)
}

// unprotected pods do no work that an eviction could interrupt.
func unprotected(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodPending ||
		pod.DeletionTimestamp != nil
}

// spend takes the eviction from the pod's budget, if it has one.
func (v *Verbs) spend(ctx context.Context, pod *corev1.Pod, dryRun bool) error {
	version := v.stored(budgetTable)
	if version == nil {
		return nil
	}
	budget, err := v.budgetOf(pod)
	if err != nil || budget == nil || free(budget, pod) {
		return err
	}
	q := Request{Verb: "update", Version: version, Namespace: budget.Namespace, Name: budget.Name, Subresource: "status", Manager: "kube-apiserver", admitted: true}
	_, err = v.change(ctx, q, change{
		apply: func(old resource.Object) (resource.Object, error) {
			next := old.(*policyv1.PodDisruptionBudget).DeepCopy()
			return next, v.spendFrom(next, pod.Name)
		},
		door: version.Resource.Status, manager: q.Manager, dryRun: dryRun,
	})
	if apierrors.IsNotFound(err) {
		return nil // it protects nothing any more
	}
	return err
}

// stored is the version of a table's rows that is stored; nil if there is no such table.
func (v *Verbs) stored(table string) *encode.Version {
	row := v.Kinds.ByTable(table)
	if row == nil {
		return nil
	}
	return encode.Stored(row)
}

func (v *Verbs) budgetOf(pod *corev1.Pod) (found *policyv1.PodDisruptionBudget, err error) {
	for item := range v.Store.Snapshot().List(budgetTable, pod.Namespace, store.Key{}) {
		budget, ok := item.Value().(*policyv1.PodDisruptionBudget)
		if !ok {
			continue
		}
		selector, err := metav1.LabelSelectorAsSelector(budget.Spec.Selector)
		if err != nil || !selector.Matches(labels.Set(pod.Labels)) {
			continue
		}
		if found != nil {
			return nil, &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: http.StatusInternalServerError,
				Message: "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."}}
		}
		found = budget
	}
	return found, nil
}

// free: a pod that is not ready does no work, and may go unless that would hide that too few are.
func free(budget *policyv1.PodDisruptionBudget, pod *corev1.Pod) bool {
	ready := slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
	if ready {
		return false
	}
	if policy := budget.Spec.UnhealthyPodEvictionPolicy; policy != nil && *policy == policyv1.AlwaysAllow {
		return true
	}
	return budget.Status.CurrentHealthy >= budget.Status.DesiredHealthy && budget.Status.DesiredHealthy > 0
}

// spendFrom notes the eviction in the budget, or says why it must not be.
func (v *Verbs) spendFrom(budget *policyv1.PodDisruptionBudget, pod string) error {
	status := &budget.Status
	switch {
	case status.ObservedGeneration < budget.Generation:
		return overBudget(fmt.Sprintf("The disruption budget %s is still being processed by the server.", budget.Name), evictAgain)
	case status.DisruptionsAllowed < 0:
		return budgetForbids(budget, "pdb disruptions allowed is negative")
	case len(status.DisruptedPods) > mostUnconfirmed:
		return budgetForbids(budget, "DisruptedPods map too big - too many evictions not confirmed by PDB controller")
	case status.DisruptionsAllowed == 0:
		return overBudget(fmt.Sprintf("The disruption budget %s needs %d healthy pods and has %d currently", budget.Name, status.DesiredHealthy, status.CurrentHealthy), 0)
	}
	status.DisruptionsAllowed--
	if status.DisruptionsAllowed == 0 {
		apimeta.SetStatusCondition(&status.Conditions, metav1.Condition{
			Type: policyv1.DisruptionAllowedCondition, Status: metav1.ConditionFalse, Reason: policyv1.InsufficientPodsReason,
			ObservedGeneration: status.ObservedGeneration, LastTransitionTime: metav1.NewTime(v.Clock.Now()).Rfc3339Copy(),
		})
	}
	if status.DisruptedPods == nil {
		status.DisruptedPods = map[string]metav1.Time{}
	}
	status.DisruptedPods[pod] = metav1.NewTime(v.Clock.Now()).Rfc3339Copy()
	return nil
}

func overBudget(why string, seconds int) error {
	err := apierrors.NewTooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", seconds)
	err.ErrStatus.Details.Causes = append(err.ErrStatus.Details.Causes, metav1.StatusCause{Type: policyv1.DisruptionBudgetCause, Message: why})
	return err
}

func budgetForbids(budget *policyv1.PodDisruptionBudget, why string) error {
	return apierrors.NewForbidden(policyv1.Resource("poddisruptionbudget"), budget.Name, fmt.Errorf("%s", why))
}

// markEvicted lets who counts failures tell an eviction from one.
func (v *Verbs) markEvicted(ctx context.Context, q Request, pod *corev1.Pod, dryRun bool) error {
	uid := pod.UID
	q.Subresource, q.Verb = "status", "update"
	_, err := v.change(ctx, q, change{
		apply: func(old resource.Object) (resource.Object, error) {
			next := old.(*corev1.Pod).DeepCopy()
			if next.UID != uid {
				return nil, uidMismatch(&q, uid, next.UID, dryRun)
			}
			v.setEvicted(next)
			return next, nil
		},
		door: q.Version.Resource.Status, manager: q.manager(""), dryRun: dryRun,
	})
	return err
}

func (v *Verbs) setEvicted(pod *corev1.Pod) {
	c := corev1.PodCondition{
		Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, ObservedGeneration: pod.Generation, Reason: "EvictionByEvictionAPI",
		Message: "Eviction API: evicting", LastTransitionTime: metav1.NewTime(v.Clock.Now()).Rfc3339Copy(),
	}
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == c.Type {
			pod.Status.Conditions[i] = c
			return
		}
	}
	pod.Status.Conditions = append(pod.Status.Conditions, c)
}

func (v *Verbs) serveEviction(w http.ResponseWriter, c *call) error {
	opts, err := c.createOptions()
	if err != nil {
		return err
	}
	eviction := &policyv1.Eviction{}
	if err := c.body(evictionKind, eviction, opts.FieldValidation); err != nil {
		return err
	}
	if err := v.Evict(c.raw.Context(), c.Request, eviction, opts.DryRun); err != nil {
		return err
	}
	return c.respondStatus(v, w, http.StatusCreated, nil)
}
