// Package statefulset keeps the pods of StatefulSets, each with a name of its own that outlives it.
//
// It decides which pods to create, correct and delete, in which order and how fast, which templates are remembered, and what
// the status says; it owns the pods and revisions it has created and the status of StatefulSets; the controller host calls
// it. When a pod cannot be created it says so in events and tries again with growing delay; of a set in order the pods
// after it wait.
package statefulset

import (
	"context"
	"errors"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"proa/client"
	"proa/reconcile"
	"proa/reconcile/claim"
	"proa/reconcile/podstate"
)

const (
	table         = "statefulsets.apps"
	revisionTable = "controllerrevisions.apps"
)

var kind = appsv1.SchemeGroupVersion.WithKind("StatefulSet")

// New makes the controller.
func New() reconcile.Controller {
	owners := claim.Owners{Table: table, Kind: kind, Selector: selectorOf}
	return reconcile.Controller{
		Name:     "statefulset",
		Identity: "system:serviceaccount:kube-system:statefulset-controller",
		Reads: []reconcile.Read{
			{Table: table, Keys: reconcile.Self},
			{Table: "pods", Keys: owners.Keys},
			{Table: revisionTable, Keys: owners.Keys},
			{Table: claimsTable, Keys: keysOfClaim},
		},
		Writes: []string{
			"statefulsets.apps/status",
			"pods(owned by a StatefulSet)", "pods/metadata.ownerReferences(StatefulSet)",
			"persistentvolumeclaims(of a StatefulSet)", "persistentvolumeclaims/metadata.ownerReferences(StatefulSet)",
			"controllerrevisions.apps(owned by a StatefulSet)", "controllerrevisions.apps/metadata.ownerReferences(StatefulSet)",
		},
		Deletes:   []string{"pods", revisionTable},
		Reconcile: run,
		Workers:   5,
	}
}

func selectorOf(obj client.Object) *metav1.LabelSelector {
	return obj.(*appsv1.StatefulSet).Spec.Selector
}

// keysOfClaim: a set whose claim was deleted may have to make it anew.
func keysOfClaim(view client.View, event client.Event) []reconcile.Key {
	if event.Type != client.Deleted {
		return nil
	}
	var keys []reconcile.Key
	claim := event.Object.GetName()
	for set := range client.List[*appsv1.StatefulSet](view, table, event.Object.GetNamespace()) {
		for i := range set.Spec.VolumeClaimTemplates {
			if strings.HasPrefix(claim, set.Spec.VolumeClaimTemplates[i].Name+"-"+set.Name+"-") {
				keys = append(keys, reconcile.KeyOf(set))
				break
			}
		}
	}
	return keys
}

func run(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	set, ok := client.Get[*appsv1.StatefulSet](req.View, table, req.Namespace, req.Name)
	if !ok {
		return reconcile.Result{}, nil
	}
	selector, err := metav1.LabelSelectorAsSelector(set.Spec.Selector)
	if err != nil {
		req.Log.Error("selector is invalid", "error", err)
		return reconcile.Result{}, nil
	}
	s, err := observe(ctx, req, set, selector)
	if err != nil {
		return reconcile.Result{}, err
	}
	after := podstate.NextCheck(s.pods, set.Spec.MinReadySeconds, req.Now)
	if set.DeletionTimestamp != nil {
		if next, changed := lastStatus(s); changed {
			err = writeStatus(ctx, req.Client, set, next)
		}
		return reconcile.Result{After: after}, err
	}
	r, err := decide(s)
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("decide on %s: %w", req.Key, err)
	}
	return reconcile.Result{After: after}, applyAll(ctx, req, r)
}

// observe takes the snapshot, after adopting and releasing pods and revisions.
func observe(ctx context.Context, req reconcile.Request, set *appsv1.StatefulSet, selector labels.Selector) (snapshot, error) {
	s := snapshot{set: set, now: req.Now, named: map[string]*appsv1.ControllerRevision{}}
	var pods []*corev1.Pod
	for pod := range client.List[*corev1.Pod](req.View, "pods", set.Namespace) {
		if name, _, ok := ordinalOf(pod); ok && name == set.Name {
			pods = append(pods, pod)
		}
	}
	var revisions []*appsv1.ControllerRevision
	for revision := range client.List[*appsv1.ControllerRevision](req.View, revisionTable, set.Namespace) {
		revisions = append(revisions, revision)
		if strings.HasPrefix(revision.Name, set.Name) {
			s.named[revision.Name] = revision
		}
	}
	if len(set.Spec.VolumeClaimTemplates) > 0 {
		s.claims = map[string]*corev1.PersistentVolumeClaim{}
		for c := range client.List[*corev1.PersistentVolumeClaim](req.View, claimsTable, set.Namespace) {
			s.claims[c.Name] = c
		}
	}
	claimer := claim.Claimer{Client: req.Client, Owner: set, OwnerRef: client.RefOf(table, set), Kind: kind, Table: revisionTable}
	var err error
	if s.revisions, err = claim.Claim(ctx, claimer, selector, revisions); err != nil {
		return s, err
	}
	claimer.Table = "pods"
	s.pods, err = claim.Claim(ctx, claimer, selector, pods)
	return s, err
}

// applyAll carries out a decision. The status is written whatever became of the pods: it names the revisions.
func applyAll(ctx context.Context, req reconcile.Request, r *rollout) error {
	if err := writeRevisions(ctx, req, r); err != nil {
		return err
	}
	gone, failure := applyPods(ctx, req, r)
	if next, changed := r.status(gone); changed {
		failure = errors.Join(failure, writeStatus(ctx, req.Client, r.set, next))
	}
	return errors.Join(failure, removeRevisions(ctx, req, r.forget))
}
