package auth

import (
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"proa/kinds/resource"
	"proa/store"
)

// Write is one change as admission sees it, for the checks that need to see objects.
type Write struct {
	User        User
	Verb        string // "create", "update" or "delete"; a patch is an update
	Group       string
	Resource    string
	Subresource string
	Namespace   string
	Name        string          // empty while a name is still to be generated
	Object      resource.Object // new; of a subresource: the object it belongs to, as it will be. nil for delete
	Body        any             // of a subresource with a body of its own, such as a TokenRequest
	Old         resource.Object // stored; nil for create
	Snapshot    store.Snapshot
}

func (w *Write) groupResource() schema.GroupResource {
	return schema.GroupResource{Group: w.Group, Resource: w.Resource}
}

// forbidden words a refusal of admission as upstream does.
func (w *Write) forbidden(err error) error {
	name := w.Name
	if name == "" && w.Object != nil {
		name = w.Object.GetName()
	}
	return apierrors.NewForbidden(w.groupResource(), name, err)
}
