// Package replicas keeps as many pods as an object asks for: ReplicaSets, and ReplicationControllers, which are the same
// with an older face.
//
// It decides which pods to adopt, create and delete, and what the status says; it owns nothing: the controllers of the two
// kinds declare what they write and call it with a Kind. When pods cannot be created it says so in the ReplicaFailure
// condition and in events, and returns the error, so that it is tried again with growing delay.
package replicas

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"proa/client"
	"proa/reconcile"
	"proa/reconcile/claim"
	"proa/reconcile/podcontrol"
	"proa/reconcile/podstate"
)

// Kind is what the two kinds differ in. A road not taken is a value of our own between both: it would be a copy of
// ReplicaSet, field by field.
type Kind struct {
	Table            string
	GroupVersionKind schema.GroupVersionKind
	// ReplicaSet is the object in the form of a ReplicaSet, with its metadata; nil if it is of another kind. It may share
	// memory with the object, and is not changed.
	ReplicaSet func(client.Object) *appsv1.ReplicaSet
	// WithStatus is a copy of the object with another status.
	WithStatus func(client.Object, appsv1.ReplicaSetStatus) client.Object
	// CountsTerminating says that the kind's status has terminatingReplicas.
	CountsTerminating bool
}

// set is one object that pods are kept for.
type set struct {
	*appsv1.ReplicaSet
	kind   *Kind
	object client.Object // what the API knows: events and references are about it
}

// KeysOfPod are the object that owns the pod, the one that did, and for an orphan all that might want it.
func (k *Kind) KeysOfPod(view client.View, event client.Event) []reconcile.Key {
	return claim.Owners{Table: k.Table, Kind: k.GroupVersionKind, Selector: k.selector}.Keys(view, event)
}

func (k *Kind) selector(obj client.Object) *metav1.LabelSelector {
	rs := k.ReplicaSet(obj)
	if rs == nil {
		return nil
	}
	return rs.Spec.Selector
}

// Reconcile brings the pods and the status of one object in line.
func (k *Kind) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	obj := req.View.Get(client.Ref{Table: k.Table, Namespace: req.Namespace, Name: req.Name})
	if obj == nil {
		return reconcile.Result{}, nil
	}
	rs := k.ReplicaSet(obj)
	if rs == nil {
		return reconcile.Result{}, nil
	}
	selector, err := metav1.LabelSelectorAsSelector(rs.Spec.Selector)
	if err != nil {
		req.Log.Error("selector is invalid", "error", err)
		return reconcile.Result{}, nil
	}
	return (&set{ReplicaSet: rs, kind: k, object: obj}).reconcile(ctx, req, selector)
}

func (s *set) reconcile(ctx context.Context, req reconcile.Request, selector labels.Selector) (reconcile.Result, error) {
	active, terminating, err := s.pods(ctx, req, selector)
	if err != nil {
		return reconcile.Result{}, err
	}
	done, failure := s.apply(ctx, req, decide(s.ReplicaSet, active, s.related(req.View), req.Now))
	if done > 0 && failure == nil {
		return reconcile.Result{}, nil // the pods' changes bring the key back, and the status is written once
	}
	seen := observed{active: active, failure: failure, now: req.Now}
	if s.kind.CountsTerminating {
		seen.terminating = &terminating
	}
	next, changed := status(s.ReplicaSet, seen)
	if changed {
		if err := s.writeStatus(ctx, req.Client, next); err != nil {
			return reconcile.Result{}, err
		}
	}
	if failure != nil {
		return reconcile.Result{}, failure
	}
	return reconcile.Result{After: podstate.NextCheck(active, s.Spec.MinReadySeconds, req.Now)}, nil
}

// pods returns the active pods of the set, after adopting and releasing, and how many more are terminating.
func (s *set) pods(ctx context.Context, req reconcile.Request, selector labels.Selector) ([]*corev1.Pod, int32, error) {
	var active []*corev1.Pod
	var terminating int32
	for pod := range client.List[*corev1.Pod](req.View, "pods", s.Namespace) {
		if podstate.Active(pod) {
			active = append(active, pod)
		} else if podstate.Terminating(pod) && claim.Decide(s, selector, pod) == claim.Keep {
			terminating++
		}
	}
	claimer := claim.Claimer{
		Client: req.Client, Owner: s.object, OwnerRef: client.RefOf(s.kind.Table, s.object),
		Kind: s.kind.GroupVersionKind, Table: "pods",
	}
	claimed, err := claim.Claim(ctx, claimer, selector, active)
	return claimed, terminating, err
}

// related are the pods that the sets with the same owner select.
func (s *set) related(view client.View) []*corev1.Pod {
	owner := metav1.GetControllerOfNoCopy(s)
	if owner == nil {
		return nil
	}
	var selectors []labels.Selector
	for obj := range view.List(s.kind.Table, s.Namespace) {
		if ref := metav1.GetControllerOfNoCopy(obj); ref == nil || ref.UID != owner.UID {
			continue
		}
		other := s.kind.ReplicaSet(obj)
		if other == nil {
			continue
		}
		if selector, err := metav1.LabelSelectorAsSelector(other.Spec.Selector); err == nil {
			selectors = append(selectors, selector)
		}
	}
	var pods []*corev1.Pod
	for pod := range client.List[*corev1.Pod](view, "pods", s.Namespace) {
		for _, selector := range selectors {
			if selector.Matches(labels.Set(pod.Labels)) {
				pods = append(pods, pod)
				break
			}
		}
	}
	return pods
}

// apply carries out the plan; it says how many pods it created or deleted.
func (s *set) apply(ctx context.Context, req reconcile.Request, plan plan) (done int, err error) {
	if plan.create == 0 {
		return podcontrol.Delete(ctx, req, s.object, plan.remove)
	}
	pods := make([]*corev1.Pod, plan.create)
	for i := range pods {
		pods[i] = podcontrol.New(s.object, s.kind.GroupVersionKind, &s.Spec.Template)
	}
	return podcontrol.Create(ctx, req, s.object, pods)
}

func (s *set) writeStatus(ctx context.Context, c client.Client, next appsv1.ReplicaSetStatus) error {
	_, err := c.Update(ctx, client.RefOf(s.kind.Table, s.object), "status", s.kind.WithStatus(s.object, next), metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
