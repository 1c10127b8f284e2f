// Package customresource brings CustomResourceDefinitions into use and out of it.
//
// It decides which names a definition gets, when it is said to be established, and what its schemas and its group are to be
// warned of; and of one that is being deleted, that all objects of its kind go first. It owns the status of definitions and
// the finalizer "customresourcecleanup.apiextensions.k8s.io"; the controller host calls it. When objects cannot be deleted, the
// definition stays and says so.
package customresource

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/kinds"
	"proa/kinds/apiextensions"
	"proa/kinds/resource"
	"proa/reconcile"
)

const table = apiextensions.Table

// servedRetry is when to look whether a definition is served by now. That takes a moment after its names are accepted.
const servedRetry = 2 * time.Millisecond

type controller struct{ kinds *kinds.Table }

// New makes the controller. A definition is served once its row is in the table of kinds.
func New(all *kinds.Table) reconcile.Controller {
	c := &controller{kinds: all}
	return reconcile.Controller{
		Name:     "customresource",
		Identity: "system:apiserver",
		Reads:    []reconcile.Read{{Table: table, Keys: keysOf}},
		Custom: func(row *resource.Resource) (reconcile.Read, bool) {
			key := reconcile.Key{Name: row.Table()}
			return reconcile.Read{Table: row.Table(), Keys: func(view client.View, event client.Event) []reconcile.Key {
				if event.Type != client.Deleted {
					return nil
				}
				if d := view.Get(client.Ref{Table: table, Name: key.Name}); d == nil || d.GetDeletionTimestamp() == nil {
					return nil
				}
				return []reconcile.Key{key}
			}}, true
		},
		Writes:    []string{table + "/status", table + "/metadata.finalizers[" + apiextensionsv1.CustomResourceCleanupFinalizer + "]"},
		Deletes:   []string{"*(of a definition that is being deleted)"},
		Reconcile: c.run,
	}
}

// keysOf are a definition and, when names may have become free, the others of its group.
func keysOf(view client.View, event client.Event) []reconcile.Key {
	keys := []reconcile.Key{reconcile.KeyOf(event.Object)}
	d := event.Object.(*definition)
	old, _ := event.Old.(*definition)
	freed := event.Type == client.Deleted || old != nil && !sameNames(&old.Status.AcceptedNames, &d.Status.AcceptedNames)
	if freed {
		for _, o := range others(view, d) {
			keys = append(keys, reconcile.KeyOf(o))
		}
	}
	return keys
}

func sameNames(a, b *names) bool {
	return a.Plural == b.Plural && a.Singular == b.Singular && a.Kind == b.Kind && a.ListKind == b.ListKind && slices.Equal(a.ShortNames, b.ShortNames)
}

// others are the other definitions of a group.
func others(view client.View, d *definition) []*definition {
	var list []*definition
	for o := range client.List[*definition](view, table, "") {
		if o.Spec.Group == d.Spec.Group && o.Name != d.Name {
			list = append(list, o)
		}
	}
	return list
}

func (c *controller) run(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	d, ok := client.Get[*definition](req.View, table, "", req.Name)
	if !ok {
		return reconcile.Result{}, nil
	}
	if d.DeletionTimestamp != nil {
		if !slices.Contains(d.Finalizers, apiextensionsv1.CustomResourceCleanupFinalizer) {
			return reconcile.Result{}, nil
		}
		return reconcile.Result{}, c.end(ctx, req, d)
	}
	row := c.kinds.ByTable(req.Name)
	served := row != nil && row.Custom != nil && apiextensions.Is(d, apiextensionsv1.NamesAccepted)
	next, changed := decide(d, situation{others: others(req.View, d), served: served, now: req.Now})
	if changed {
		_, err := req.Client.Update(ctx, client.RefOf(table, next), "status", next, metav1.UpdateOptions{})
		return reconcile.Result{}, ignoreNotFound(err)
	}
	if !served && apiextensions.Is(d, apiextensionsv1.NamesAccepted) && !apiextensions.Is(d, apiextensionsv1.Established) {
		return reconcile.Result{After: servedRetry}, nil
	}
	return reconcile.Result{}, nil
}

// end deletes the objects of a kind, and lets the definition go when the last has gone.
func (c *controller) end(ctx context.Context, req reconcile.Request, d *definition) error {
	plan := decideEnding(d, len(objects(req.View, d)))
	if plan.remove {
		if failed := c.remove(ctx, req, d); len(failed) > 0 {
			plan.condition.Reason = "InstanceDeletionFailed"
			plan.condition.Message = fmt.Sprintf("could not issue all deletes: %v", errors.Join(failed...))
			return errors.Join(append(failed, c.tell(ctx, req, d, plan.condition))...)
		}
		if len(objects(req.Client.View(), d)) == 0 { // none had to wait for a finalizer
			plan = decideEnding(d, 0)
		}
	}
	if !plan.release {
		return c.tell(ctx, req, d, plan.condition)
	}
	next := d.DeepCopy()
	apiextensions.SetCondition(next, plan.condition, req.Now)
	next.Finalizers = slices.DeleteFunc(next.Finalizers, func(f string) bool { return f == apiextensionsv1.CustomResourceCleanupFinalizer })
	_, err := req.Client.Update(ctx, client.RefOf(table, next), "status", next, metav1.UpdateOptions{})
	return ignoreNotFound(err)
}

func (c *controller) tell(ctx context.Context, req reconcile.Request, d *definition, wanted condition) error {
	next := d.DeepCopy()
	if !apiextensions.SetCondition(next, wanted, req.Now) {
		return nil
	}
	_, err := req.Client.Update(ctx, client.RefOf(table, next), "status", next, metav1.UpdateOptions{})
	return ignoreNotFound(err)
}

func objects(view client.View, d *definition) []client.Object {
	var list []client.Object
	for obj := range view.List(d.Name, "") {
		list = append(list, obj)
	}
	return list
}

// remove deletes the objects that are not being deleted yet, and returns what failed.
func (c *controller) remove(ctx context.Context, req reconcile.Request, d *definition) (failures []error) {
	var refs []client.Ref
	for _, obj := range objects(req.View, d) {
		if obj.GetDeletionTimestamp() == nil {
			refs = append(refs, client.RefOf(d.Name, obj))
		}
	}
	for _, err := range reconcile.Each(req.Parallel, len(refs), func(i int) error {
		return req.Client.Delete(ctx, refs[i], metav1.DeleteOptions{})
	}) {
		if err = ignoreNotFound(err); err != nil {
			failures = append(failures, err)
		}
	}
	return failures
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
