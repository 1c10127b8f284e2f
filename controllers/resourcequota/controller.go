// Package resourcequota counts what each ResourceQuota's namespace uses.
//
// It decides what the status says; admission adds to it what a write will use, in the commit of that write, and this
// controller counts anew after everything that may use less. It owns the status; the controller host calls it. When the API
// refuses, the key comes back with growing delay.
package resourcequota

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	quantity "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/kinds"
	"proa/kinds/quota"
	"proa/kinds/resource"
	"proa/reconcile"
)

// New makes the controller. It counts objects of all namespaced kinds of the table.
func New(table *kinds.Table) reconcile.Controller {
	c := &controller{kinds: table}
	reads := []reconcile.Read{{Table: quota.Table, Keys: reconcile.Self}}
	for _, row := range table.Rows() {
		if !row.Namespaced || row.Virtual || row.Custom != nil {
			continue
		}
		name := row.Table()
		c.tables = append(c.tables, name)
		if name != quota.Table {
			reads = append(reads, readOf(name))
		}
	}
	return reconcile.Controller{
		Name:      "resourcequota",
		Identity:  "system:serviceaccount:kube-system:resourcequota-controller",
		Reads:     reads,
		Custom:    func(row *resource.Resource) (reconcile.Read, bool) { return readOf(row.Table()), row.Namespaced },
		Writes:    []string{quota.Table + "/status"},
		Reconcile: c.run,
	}
}

type controller struct {
	kinds  *kinds.Table
	tables []string // of built-in kinds
}

func readOf(table string) reconcile.Read {
	return reconcile.Read{Table: table, Keys: func(view client.View, event client.Event) []reconcile.Key { return keysOf(view, event, table) }}
}

// counted are all tables of which objects are counted.
func (c *controller) counted() []string {
	rows, _ := c.kinds.Custom()
	tables := slices.Clone(c.tables)
	for _, row := range rows {
		if row.Namespaced {
			tables = append(tables, row.Table())
		}
	}
	return tables
}

// keysOf are the quotas of the namespace that objects of the table may use something of.
func keysOf(view client.View, event client.Event, table string) []reconcile.Key {
	var keys []reconcile.Key
	for limit := range client.List[*corev1.ResourceQuota](view, quota.Table, event.Object.GetNamespace()) {
		if quota.Concerns(limit, table) {
			keys = append(keys, reconcile.KeyOf(limit))
		}
	}
	return keys
}

func (c *controller) run(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	limit, ok := client.Get[*corev1.ResourceQuota](req.View, quota.Table, req.Namespace, req.Name)
	if !ok {
		return reconcile.Result{}, nil
	}
	used := corev1.ResourceList{}
	for name := range limit.Spec.Hard {
		used[name] = *quantity.NewQuantity(0, quantity.DecimalSI)
	}
	for _, table := range c.counted() {
		if !quota.Concerns(limit, table) {
			continue
		}
		for obj := range req.View.List(table, limit.Namespace) {
			for name, q := range quota.Usage(limit, table, obj, req.Now) {
				sum := used[name]
				sum.Add(q)
				used[name] = sum
			}
		}
	}
	status := corev1.ResourceQuotaStatus{Hard: limit.Spec.Hard.DeepCopy(), Used: used}
	if equality.Semantic.DeepEqual(status, limit.Status) {
		return reconcile.Result{}, nil
	}
	next := limit.DeepCopy()
	next.Status = status
	_, err := req.Client.Update(ctx, client.RefOf(quota.Table, limit), "status", next, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		err = nil
	}
	return reconcile.Result{}, err
}
