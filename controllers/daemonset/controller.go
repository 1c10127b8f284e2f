// Package daemonset keeps a pod of each DaemonSet on every node that it wants.
//
// It decides on which nodes pods are to be, how fast they move to a new template, which templates are remembered, and what
// the status says; it owns the pods and revisions it has created and the status of DaemonSets; the controller host calls
// it. The scheduler places the pods, each pinned to its node by an affinity to the node's name. When pods cannot be created
// it says so in events and tries again with growing delay; pods that fail on a node are replaced with growing delay too.
package daemonset

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/reconcile"
	"proa/reconcile/claim"
)

const (
	table         = "daemonsets.apps"
	revisionTable = "controllerrevisions.apps"
)

var kind = appsv1.SchemeGroupVersion.WithKind("DaemonSet")

// New makes the controller.
func New() reconcile.Controller {
	c := &controller{patience: newPatience()}
	owners := claim.Owners{Table: table, Kind: kind, Selector: selectorOf}
	return reconcile.Controller{
		Name:     "daemonset",
		Identity: "system:serviceaccount:kube-system:daemon-set-controller",
		Source:   "daemonset-controller",
		Reads: []reconcile.Read{
			{Table: table, Keys: reconcile.Self},
			{Table: "pods", Keys: owners.Keys},
			{Table: revisionTable, Keys: owners.Keys},
			{Table: "nodes", Keys: keysOfNode},
		},
		Writes: []string{
			"daemonsets.apps/status",
			"pods(owned by a DaemonSet)", "pods/metadata.ownerReferences(DaemonSet)",
			"controllerrevisions.apps(owned by a DaemonSet)", "controllerrevisions.apps/metadata.ownerReferences(DaemonSet)",
		},
		Deletes:   []string{"pods", revisionTable},
		Reconcile: c.run,
		Workers:   2,
	}
}

func selectorOf(obj client.Object) *metav1.LabelSelector {
	return obj.(*appsv1.DaemonSet).Spec.Selector
}

// keysOfNode are all daemon sets, unless the change is none that matters to where pods should be.
func keysOfNode(view client.View, event client.Event) []reconcile.Key {
	node, _ := event.Object.(*corev1.Node)
	old, _ := event.Old.(*corev1.Node)
	if event.Type == client.Updated && node != nil && old != nil && equality.Semantic.DeepEqual(node.Labels, old.Labels) &&
		equality.Semantic.DeepEqual(node.Spec.Taints, old.Spec.Taints) {
		return nil
	}
	var keys []reconcile.Key
	for set := range view.List(table, "") {
		keys = append(keys, reconcile.KeyOf(set))
	}
	return keys
}

type controller struct{ patience *patience }

func (c *controller) run(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	set, ok := client.Get[*appsv1.DaemonSet](req.View, table, req.Namespace, req.Name)
	if !ok || set.DeletionTimestamp != nil { // its revisions may be gone before its pods: nothing could be told
		return reconcile.Result{}, nil
	}
	if selectsAll(set) {
		req.Events.Eventf(set, corev1.EventTypeWarning, "SelectingAll", "This daemon set is selecting all pods. A non-empty selector is required.")
		return reconcile.Result{}, nil
	}
	s, err := c.observe(ctx, req, set)
	if err != nil {
		return reconcile.Result{}, err
	}
	r, err := decide(s)
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("read revisions of %s: %w", req.Key, err)
	}
	return c.apply(ctx, req, r)
}

func selectsAll(set *appsv1.DaemonSet) bool {
	s := set.Spec.Selector
	return s != nil && len(s.MatchLabels)+len(s.MatchExpressions) == 0
}

// observe takes the snapshot, after adopting and releasing pods and revisions.
func (c *controller) observe(ctx context.Context, req reconcile.Request, set *appsv1.DaemonSet) (snapshot, error) {
	s := snapshot{
		set: set, now: req.Now, named: map[string]*appsv1.ControllerRevision{},
		patience: func(node string) time.Duration { return c.patience.left(keyOf(set, node), req.Now) },
	}
	selector, err := metav1.LabelSelectorAsSelector(set.Spec.Selector)
	if err != nil {
		return s, fmt.Errorf("read selector of %s: %w", req.Key, err)
	}
	for node := range client.List[*corev1.Node](req.View, "nodes", "") {
		s.nodes = append(s.nodes, node)
	}
	var pods []*corev1.Pod
	for pod := range client.List[*corev1.Pod](req.View, "pods", set.Namespace) {
		pods = append(pods, pod)
	}
	var revisions []*appsv1.ControllerRevision
	for revision := range client.List[*appsv1.ControllerRevision](req.View, revisionTable, set.Namespace) {
		revisions = append(revisions, revision)
		if strings.HasPrefix(revision.Name, set.Name) {
			s.named[revision.Name] = revision
		}
	}
	claimer := claim.Claimer{Client: req.Client, Owner: set, OwnerRef: client.RefOf(table, set), Kind: kind, Table: "pods"}
	s.pods, err = claim.Claim(ctx, claimer, selector, pods)
	if err != nil {
		return s, err
	}
	claimer.Table = revisionTable
	s.revisions, err = claim.Claim(ctx, claimer, selector, revisions)
	return s, err
}

// apply carries out a decision. The status is written last, unless pods were created or deleted: their changes bring the
// daemon set back, and then it is written once.
func (c *controller) apply(ctx context.Context, req reconcile.Request, r *rollout) (reconcile.Result, error) {
	if r.collided {
		return reconcile.Result{}, raiseCollisions(ctx, req, r.set)
	}
	if err := writeRevisions(ctx, req, r); err != nil {
		return reconcile.Result{}, err
	}
	done, failure := c.applyPods(ctx, req, r)
	if failure == nil {
		failure = removeRevisions(ctx, req, r.forget)
	}
	if done > 0 && failure == nil {
		return reconcile.Result{After: r.pending}, nil
	}
	next, changed := r.status()
	if !changed {
		return reconcile.Result{After: r.pending}, failure
	}
	return reconcile.Result{After: r.pending}, errors.Join(failure, writeStatus(ctx, req.Client, r.set, next))
}
