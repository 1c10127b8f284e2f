package claim

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"proa/client"
	"proa/reconcile"
)

// Owners are the objects of one kind that claim others.
type Owners struct {
	Table string
	Kind  schema.GroupVersionKind
	// Selector is an owner's selector, nil if it has none. It is not changed.
	Selector func(client.Object) *metav1.LabelSelector
}

// Keys are the owner of the object that changed, the one that it had before, and for an orphan all that might want it.
func (o Owners) Keys(view client.View, event client.Event) []reconcile.Key {
	keys := reconcile.ControllerKeys(event, o.Kind)
	if metav1.GetControllerOfNoCopy(event.Object) != nil || event.Type == client.Deleted {
		return keys
	}
	for owner := range view.List(o.Table, event.Object.GetNamespace()) {
		selector, err := metav1.LabelSelectorAsSelector(o.Selector(owner))
		if err == nil && !selector.Empty() && selector.Matches(labels.Set(event.Object.GetLabels())) {
			keys = append(keys, reconcile.KeyOf(owner))
		}
	}
	return keys
}
