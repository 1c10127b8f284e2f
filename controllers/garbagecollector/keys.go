package garbagecollector

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"proa/client"
	"proa/reconcile"
)

// A key is an object of any table: its name holds the table too.
func keyOf(ref client.Ref) reconcile.Key {
	return reconcile.Key{Namespace: ref.Namespace, Name: ref.Table + "/" + ref.Name}
}

func refOf(key reconcile.Key) client.Ref {
	table, name, _ := strings.Cut(key.Name, "/")
	return client.Ref{Table: table, Namespace: key.Namespace, Name: name}
}

// keysOf maps a change of a table's object: to itself, when its owners or its deletion changed; to its dependents, when
// it is deleted or waits for them; and to its owners, of which one may have waited for it.
func (c *collector) keysOf(table string) func(client.View, client.Event) []reconcile.Key {
	return func(view client.View, event client.Event) []reconcile.Key {
		obj, ref := event.Object, client.RefOf(table, event.Object)
		if event.Type == client.Deleted {
			c.graph.set(ref, nil)
			return append(c.dependents(obj), c.owners(obj)...)
		}
		c.graph.set(ref, ownerUIDs(obj))
		if event.Type == client.Updated && event.Old != nil && sameToUs(event.Old, obj) {
			return nil
		}
		var keys []reconcile.Key
		if len(obj.GetOwnerReferences()) > 0 || obj.GetDeletionTimestamp() != nil {
			keys = append(keys, keyOf(ref))
		}
		if waits(obj) {
			keys = append(keys, c.dependents(obj)...)
		}
		if event.Old != nil {
			keys = append(keys, c.owners(event.Old)...)
		}
		return keys
	}
}

func ownerUIDs(obj client.Object) []types.UID {
	var uids []types.UID
	for _, ref := range obj.GetOwnerReferences() {
		uids = append(uids, ref.UID)
	}
	return uids
}

// sameToUs says whether nothing changed that garbage collection looks at.
func sameToUs(old, obj client.Object) bool {
	return old.GetUID() == obj.GetUID() &&
		(old.GetDeletionTimestamp() == nil) == (obj.GetDeletionTimestamp() == nil) &&
		slices.Equal(old.GetFinalizers(), obj.GetFinalizers()) &&
		equality.Semantic.DeepEqual(old.GetOwnerReferences(), obj.GetOwnerReferences())
}

func (c *collector) dependents(owner client.Object) []reconcile.Key {
	var keys []reconcile.Key
	for _, ref := range c.graph.of(owner.GetUID()) {
		keys = append(keys, keyOf(ref))
	}
	slices.SortFunc(keys, func(a, b reconcile.Key) int { return strings.Compare(a.String(), b.String()) })
	return keys
}

func (c *collector) owners(obj client.Object) []reconcile.Key {
	var keys []reconcile.Key
	for _, owner := range obj.GetOwnerReferences() {
		if ref, err := c.ownerRef(owner, obj.GetNamespace()); err == nil {
			keys = append(keys, keyOf(ref))
		}
	}
	return keys
}

// ownerRef is where an owner would be stored: in its dependent's namespace, or in none if its kind has none.
func (c *collector) ownerRef(owner metav1.OwnerReference, namespace string) (client.Ref, error) {
	row := c.kinds.ByKind(schema.FromAPIVersionAndKind(owner.APIVersion, owner.Kind))
	switch {
	case row == nil:
		return client.Ref{}, errUnknownKind
	case !row.Namespaced:
		namespace = ""
	case namespace == "":
		return client.Ref{}, errClusterScoped
	}
	return client.Ref{Table: row.Table(), Namespace: namespace, Name: owner.Name}, nil
}
