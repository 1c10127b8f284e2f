// Package client is how every part of the system talks to the API: one interface, in-process or over HTTPS.
//
// Reads come from a View, a consistent local state that costs nothing to take. Writes go through the API server's
// verbs, with RBAC, admission and validation, under the identity that the client was made for. In the server's
// process a View is the store's newest snapshot, so a write that returned is in the next View; over HTTPS it is a cache
// that trails by a round trip, and WaitFor closes the gap.
//
// Errors are API errors: test them with k8s.io/apimachinery/pkg/api/errors.
package client

import (
	"context"
	"iter"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/kinds/resource"
)

// Object is any API object that has metadata. What a View or an Event hands out is shared: DeepCopy before a change.
type Object = resource.Object

// Ref names an object. Table is the store's name of the resource: "pods", "deployments.apps".
type Ref struct {
	Table     string
	Namespace string
	Name      string
}

// EventType says what happened to an object.
type EventType uint8

// The types of an Event.
const (
	Created EventType = iota + 1
	Updated
	Deleted
)

// Event is one change. Object is the new state, or the last one for Deleted; Old is the state before, nil for
// Created, and may be nil for a remote client.
type Event struct {
	Type   EventType
	Object Object
	Old    Object
}

// View is an immutable state of the API. Objects are the stored versions of their kinds.
type View interface {
	// Revision counts the writes that the view holds; it orders the views of one client.
	Revision() int64
	// Get returns the object, or nil.
	Get(ref Ref) Object
	// List yields the objects of a table in order of namespace and name; namespace "" means all.
	List(table, namespace string) iter.Seq[Object]
}

// Watcher yields the changes of one table since a View, in order, each once. One goroutine uses it.
type Watcher interface {
	// Next waits for at least one event. An error other than ctx's means that events were lost: take a new View.
	Next(ctx context.Context) ([]Event, error)
}

// Client acts under one identity.
type Client interface {
	// View is the newest state this client can see.
	View() View
	// Watch yields changes of a table after the view's revision. A remote client only has the tables it was made for.
	Watch(table string, after View) (Watcher, error)
	// WaitFor returns when View holds the object version that a write returned.
	WaitFor(ctx context.Context, written Object) error

	// Create stores a new object; sub is "" or a subresource ("binding", "eviction", "token"), whose
	// body obj then is, ref naming the object it belongs to. For sub "" ref may hold the table alone.
	Create(ctx context.Context, ref Ref, sub string, obj Object, opts metav1.CreateOptions) (Object, error)
	// Update replaces an object, or with sub "status" its status. obj.resourceVersion is compared if set.
	Update(ctx context.Context, ref Ref, sub string, obj Object, opts metav1.UpdateOptions) (Object, error)
	// Patch changes an object by a patch in one of the API's four forms.
	Patch(ctx context.Context, ref Ref, sub string, kind types.PatchType, patch []byte, opts metav1.PatchOptions) (Object, error)
	// Delete removes an object, or starts its deletion.
	Delete(ctx context.Context, ref Ref, opts metav1.DeleteOptions) error
	// GetLive reads an object past any cache.
	GetLive(ctx context.Context, ref Ref) (Object, error)
}
