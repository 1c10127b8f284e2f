// Package namespace empties Namespaces that are being deleted and then lets them go.
//
// It decides in which order their content is deleted and says in their conditions what is left; it owns the finalizer
// "kubernetes"; the controller host calls it. What cannot be deleted is tried again, and the namespace stays Terminating. What
// aggregated API servers keep goes as well: while one of them is away, nobody knows what that is, and namespaces wait.
package namespace

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"proa/client"
	"proa/kinds"
	"proa/kinds/resource"
	"proa/reconcile"
)

const table = "namespaces"

// Identity is the user that empties namespaces.
const Identity = "system:serviceaccount:kube-system:namespace-controller"

// again is the pause after which aggregated API servers are asked once more: no event tells that their objects went.
const again = time.Second

// Elsewhere deletes what aggregated API servers keep in a namespace, and returns what is left there, and which versions did
// not tell. It is called again and again, from several goroutines, until nothing is left.
type Elsewhere = func(ctx context.Context, namespace string) (left map[schema.GroupResource][]metav1.PartialObjectMetadata, unknown map[schema.GroupVersion]error, failures []error)

// New makes the controller for namespaces that hold objects of the kinds of a table, and elsewhere, if not nil, what
// is in none.
func New(all *kinds.Table, elsewhere Elsewhere) reconcile.Controller {
	c := &controller{kinds: all, elsewhere: elsewhere}
	reads := []reconcile.Read{{Table: table, Keys: reconcile.Self}}
	var deletes []string
	for _, row := range reconcile.Deletable(all) {
		if row.Namespaced {
			c.rows = append(c.rows, row)
			reads = append(reads, reconcile.Read{Table: row.Table(), Keys: keysOfContent})
			deletes = append(deletes, row.Table())
		}
	}
	return reconcile.Controller{
		Name:     "namespace",
		Identity: Identity,
		Reads:    reads,
		Custom: func(row *resource.Resource) (reconcile.Read, bool) {
			return reconcile.Read{Table: row.Table(), Keys: keysOfContent}, row.Namespaced
		},
		Writes:    []string{"namespaces/status", "namespaces/spec.finalizers[kubernetes]"},
		Deletes:   deletes,
		Reconcile: c.run,
		Workers:   10,
	}
}

type controller struct {
	kinds     *kinds.Table
	rows      []*resource.Resource // namespaced kinds, but custom ones
	elsewhere Elsewhere
}

// keysOfContent brings up a namespace that is being deleted when something in it changes or goes.
func keysOfContent(view client.View, event client.Event) []reconcile.Key {
	name := event.Object.GetNamespace()
	namespace := view.Get(client.Ref{Table: table, Name: name})
	if namespace == nil || namespace.GetDeletionTimestamp() == nil {
		return nil
	}
	return []reconcile.Key{{Name: name}}
}

func (c *controller) run(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	namespace, ok := client.Get[*corev1.Namespace](req.View, table, "", req.Name)
	if !ok || namespace.DeletionTimestamp == nil || !slices.Contains(namespace.Spec.Finalizers, corev1.FinalizerKubernetes) {
		return reconcile.Result{}, nil
	}
	left := rest{failures: remove(ctx, req, toDelete(c.contents(req.View, req.Name)))}
	left.contents = c.contents(req.Client.View(), req.Name)
	if c.elsewhere != nil && podsOf(left.contents) == nil {
		c.emptyElsewhere(ctx, req.Name, &left)
	}
	if left.gone() && len(namespace.Spec.Finalizers) == 1 {
		return reconcile.Result{}, finalize(ctx, req.Client, namespace)
	}
	changed, err := writeStatus(ctx, req, namespace, &left)
	if err != nil || changed || !left.gone() {
		return reconcile.Result{After: left.pause()}, errors.Join(append(left.failures, err)...)
	}
	return reconcile.Result{}, finalize(ctx, req.Client, namespace) // the status, for those who wait on, is written
}

// emptyElsewhere deletes what aggregated API servers keep, and adds what is left.
func (c *controller) emptyElsewhere(ctx context.Context, namespace string, left *rest) {
	remaining, unknown, failures := c.elsewhere(ctx, namespace)
	for id, objects := range remaining {
		found := content{resource: id}
		for i := range objects {
			found.objects = append(found.objects, &objects[i])
		}
		left.contents = append(left.contents, found)
	}
	left.unknown, left.failures = unknown, append(left.failures, failures...)
}

// pause is how long to wait for what no event tells of; zero if all is told.
func (r *rest) pause() time.Duration {
	if len(r.unknown) > 0 || slices.ContainsFunc(r.contents, func(c content) bool { return c.table == "" && len(c.objects) > 0 }) {
		return again
	}
	return 0
}

func (c *controller) contents(view client.View, namespace string) []content {
	var all []content
	custom, _ := c.kinds.Custom()
	for _, row := range slices.Concat(c.rows, custom) {
		found := content{resource: row.GroupResource(), table: row.Table()}
		for obj := range view.List(row.Table(), namespace) {
			found.objects = append(found.objects, obj)
		}
		all = append(all, found)
	}
	return all
}

// remove deletes objects and returns what failed.
func remove(ctx context.Context, req reconcile.Request, refs []client.Ref) (failures []error) {
	background := metav1.DeletePropagationBackground
	errs := reconcile.Each(req.Parallel, len(refs), func(i int) error {
		return req.Client.Delete(ctx, refs[i], metav1.DeleteOptions{PropagationPolicy: &background})
	})
	for i, err := range errs {
		if err != nil && !apierrors.IsNotFound(err) {
			failures = append(failures, fmt.Errorf("delete %s %s/%s: %w", refs[i].Table, refs[i].Namespace, refs[i].Name, err))
		}
	}
	return failures
}

func writeStatus(ctx context.Context, req reconcile.Request, namespace *corev1.Namespace, left *rest) (changed bool, err error) {
	next := namespace.DeepCopy()
	list, changed := conditions(namespace.Status.Conditions, left, req.Now)
	if !changed && namespace.Status.Phase == corev1.NamespaceTerminating {
		return false, nil
	}
	next.Status.Conditions = list
	next.Status.Phase = corev1.NamespaceTerminating
	_, err = req.Client.Update(ctx, client.RefOf(table, next), "status", next, metav1.UpdateOptions{})
	return true, ignoreNotFound(err)
}

// finalize removes the finalizer that held the namespace while it was emptied.
func finalize(ctx context.Context, c client.Client, namespace *corev1.Namespace) error {
	next := namespace.DeepCopy()
	next.Spec.Finalizers = slices.DeleteFunc(next.Spec.Finalizers, func(f corev1.FinalizerName) bool {
		return f == corev1.FinalizerKubernetes
	})
	_, err := c.Update(ctx, client.RefOf(table, next), "finalize", next, metav1.UpdateOptions{})
	return ignoreNotFound(err)
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
