// Package garbagecollector deletes objects whose owners have gone, as their ownerReferences ask for.
//
// It decides what becomes of dependents (background, foreground, orphan); it owns the finalizers "orphan" and
// "foregroundDeletion"; the controller host calls it. Nothing is deleted before the API itself, asked for the owner,
// says that it is not there under that UID: when the API cannot be asked, nothing happens. Owners that aggregated API servers
// keep are asked for there, again and again, since nothing tells of their end.
package garbagecollector

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/kinds"
	"proa/kinds/resource"
	"proa/reconcile"
)

var (
	errUnknownKind   = errors.New("kind of the owner is not served")
	errClusterScoped = errors.New("object without namespace names an owner in one")
)

// unknownKindRetry is when to look again at an object whose owner's kind is not known (yet), and untoldRetry at one whose owner
// may go and no event says so.
const (
	unknownKindRetry = time.Minute
	untoldRetry      = 15 * time.Second
)

// Identity is the user that asks for owners, and deletes.
const Identity = "system:serviceaccount:kube-system:generic-garbage-collector"

// Elsewhere looks up an owner that an aggregated API server keeps: nil if it is not there. known is false when no such server
// says now that it serves the kind. It is called from several goroutines.
type Elsewhere = func(ctx context.Context, owner metav1.OwnerReference, namespace string) (found *metav1.PartialObjectMetadata, known bool, err error)

type collector struct {
	kinds     *kinds.Table
	elsewhere Elsewhere
	rows      []*resource.Resource
	graph     *graph
}

// New makes the controller for the kinds of a table; elsewhere, if not nil, knows of others. Events are left out: they end by
// themselves.
func New(all *kinds.Table, elsewhere Elsewhere) reconcile.Controller {
	c := &collector{kinds: all, elsewhere: elsewhere, graph: newGraph()}
	var reads []reconcile.Read
	var tables []string
	for _, row := range reconcile.Deletable(all) {
		if row.Name == "events" {
			continue
		}
		c.rows = append(c.rows, row)
		tables = append(tables, row.Table())
		reads = append(reads, reconcile.Read{Table: row.Table(), Keys: c.keysOf(row.Table())})
	}
	return reconcile.Controller{
		Name:     "garbagecollector",
		Identity: Identity,
		Source:   "garbage-collector-controller",
		Reads:    reads,
		Custom: func(row *resource.Resource) (reconcile.Read, bool) {
			return reconcile.Read{Table: row.Table(), Keys: c.keysOf(row.Table())}, true
		},
		Writes:    []string{"*/metadata.finalizers[orphan]", "*/metadata.finalizers[foregroundDeletion]", "*/metadata.ownerReferences(of absent owners)"},
		Deletes:   tables,
		Reconcile: c.run,
		Workers:   20,
	}
}

func (c *collector) run(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	ref := refOf(req.Key)
	obj := req.View.Get(ref)
	if obj == nil {
		return reconcile.Result{}, nil
	}
	if obj.GetDeletionTimestamp() != nil {
		if !waits(obj) && !has(obj, metav1.FinalizerOrphanDependents) {
			return reconcile.Result{}, nil // what is left is the owner of a finalizer's to do
		}
		return reconcile.Result{}, c.apply(ctx, req, ref, obj, decideDeleted(obj, c.scan(req.View, obj)))
	}
	owners, err := c.classify(ctx, req, ref, obj)
	switch {
	case errors.Is(err, errUnknownKind):
		return reconcile.Result{After: unknownKindRetry}, nil
	case errors.Is(err, errClusterScoped):
		return reconcile.Result{}, nil
	case err != nil:
		return reconcile.Result{}, err
	}
	var dependents []dependent
	if len(owners.solid) == 0 && len(owners.waiting) > 0 {
		dependents = c.scan(req.View, obj)
	}
	var after time.Duration
	if owners.untold {
		after = untoldRetry
	}
	return reconcile.Result{After: after}, c.apply(ctx, req, ref, obj, decideOwned(obj, owners, dependents))
}

// scan finds the objects that name an owner, in the view: the graph may be a moment behind, and once a finalizer is off
// there is no second look.
func (c *collector) scan(view client.View, owner client.Object) []dependent {
	var found []dependent
	custom, _ := c.kinds.Custom()
	for _, row := range slices.Concat(c.rows, custom) {
		if !row.Namespaced && owner.GetNamespace() != "" {
			continue
		}
		for obj := range view.List(row.Table(), owner.GetNamespace()) {
			if names(obj, owner.GetUID()) {
				found = append(found, dependent{ref: client.RefOf(row.Table(), obj), obj: obj})
			}
		}
	}
	return found
}

// classify finds out what has become of the owners that an object names.
func (c *collector) classify(ctx context.Context, req reconcile.Request, ref client.Ref, obj client.Object) (classified, error) {
	var result classified
	for _, reference := range obj.GetOwnerReferences() {
		at, err := c.ownerRef(reference, obj.GetNamespace())
		var owner client.Object
		switch {
		case errors.Is(err, errUnknownKind):
			result.untold = true
			owner, err = c.findElsewhere(ctx, reference, obj.GetNamespace())
		case errors.Is(err, errClusterScoped):
			c.tellInvalid(req, ref, obj, reference)
		case err == nil:
			owner, err = find(ctx, req, at, reference)
		}
		switch {
		case errors.Is(err, errUnknownKind) || errors.Is(err, errClusterScoped):
			return result, err
		case err != nil:
			return result, fmt.Errorf("look up owner %s %s: %w", reference.Kind, reference.Name, err)
		case owner == nil:
			result.absent = append(result.absent, reference.UID)
			c.tellElsewhere(req, ref, obj, at.Table, reference)
		case waits(owner):
			result.waiting = append(result.waiting, reference.UID)
		default:
			result.solid = append(result.solid, reference.UID)
		}
	}
	return result, nil
}

// findElsewhere returns the owner from the aggregated API server that keeps its kind, or nil when that says that it is not
// there under that UID.
func (c *collector) findElsewhere(ctx context.Context, reference metav1.OwnerReference, namespace string) (client.Object, error) {
	if c.elsewhere == nil {
		return nil, errUnknownKind
	}
	owner, known, err := c.elsewhere(ctx, reference, namespace)
	switch {
	case err != nil:
		return nil, err
	case !known:
		return nil, errUnknownKind
	case owner == nil || owner.UID != reference.UID:
		return nil, nil
	}
	return owner, nil
}

// find returns the owner, or nil when the API says that it is not there under that UID.
func find(ctx context.Context, req reconcile.Request, at client.Ref, reference metav1.OwnerReference) (client.Object, error) {
	if owner := req.View.Get(at); owner != nil && owner.GetUID() == reference.UID {
		return owner, nil
	}
	owner, err := req.Client.GetLive(ctx, at)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, err
	case owner.GetUID() != reference.UID:
		return nil, nil
	}
	return owner, nil
}

// tellElsewhere warns the user when the owner exists, but in another namespace: such a reference means nothing.
func (c *collector) tellElsewhere(req reconcile.Request, ref client.Ref, obj client.Object, table string, reference metav1.OwnerReference) {
	if table == "" {
		return
	}
	for owner := range req.View.List(table, "") {
		if owner.GetUID() == reference.UID {
			c.tellInvalid(req, ref, obj, reference)
			return
		}
	}
}

func (c *collector) tellInvalid(req reconcile.Request, ref client.Ref, obj client.Object, owner metav1.OwnerReference) {
	gvk := obj.GetObjectKind().GroupVersionKind()
	if row := c.kinds.ByTable(ref.Table); row != nil {
		gvk = row.GroupVersionKind()
	}
	about := corev1.ObjectReference{
		APIVersion: gvk.GroupVersion().String(), Kind: gvk.Kind, Namespace: ref.Namespace, Name: ref.Name, UID: obj.GetUID(),
	}
	req.Events.EventAbout(about, corev1.EventTypeWarning, "OwnerRefInvalidNamespace", fmt.Sprintf(
		"ownerRef [%s/%s, namespace: %s, name: %s, uid: %s] does not exist in namespace %q",
		owner.APIVersion, owner.Kind, ref.Namespace, owner.Name, owner.UID, ref.Namespace))
}
