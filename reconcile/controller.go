// Package reconcile is the controller host: it runs controllers, each of which brings one part of the cluster's
// state in line with what is declared.
//
// It decides when a controller looks at which key: on every change of a table that the controller reads, after an error
// with growing delay, after a delay that the controller asked for, and on a slow resync as a safety net. It owns the queues
// and the watches (one per table, however many controllers read it); daemon calls Run. When the API is gone, watches
// and writes fail, keys wait with their back-off, and all of them are looked at again once a watch can be had.
//
// # No expectations
//
// Upstream's controllers remember the writes that their caches do not show yet. Here a key is not looked at again
// before the writes of its last run are in the View (client.WaitFor), so a controller decides from its View alone:
// recompute everything, write the difference, keep nothing. Only a deletion through a remote client may be seen late;
// deletions carry the UID and may safely be repeated.
package reconcile

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"proa/client"
	"proa/kinds/resource"
)

// Key names what a controller reconciles. It need not exist (any more), nor be an object at all.
type Key struct {
	Namespace string
	Name      string
}

// String is namespace/name, or the name alone.
func (k Key) String() string {
	if k.Namespace == "" {
		return k.Name
	}
	return k.Namespace + "/" + k.Name
}

// KeyOf is the key of an object.
func KeyOf(obj client.Object) Key { return Key{Namespace: obj.GetNamespace(), Name: obj.GetName()} }

// Controller is a value that says what it is, what it reads, what it alone writes, and how.
type Controller struct {
	// Name is the short name of logs and metrics: "deployment".
	Name string
	// Identity is the user that all its requests are made as.
	Identity string
	// Source is the component that its events name; empty means the last part of the Identity.
	Source string
	// Reads are the tables whose changes may make it act. It may look at no others, unless After brings it back.
	Reads []Read
	// Custom says which keys a change of a kind that users define concerns, for as long as there is the kind; nil: none. Its
	// result is asked for once for each table.
	Custom func(row *resource.Resource) (read Read, wanted bool)
	// Writes are the fields that this controller alone writes, as "table/field.path": "deployments.apps/status". Objects
	// that it creates as a whole are "table(which)": "pods(of a ReplicaSet)". Two controllers with one entry are refused.
	Writes []string
	// Deletes are tables from which it removes objects; others may do so too.
	Deletes []string
	// Reconcile brings one key in line. It is never called twice at a time for one key, but from several goroutines
	// for several keys. An error brings the key back with growing delay; conflicts do so quietly.
	Reconcile func(ctx context.Context, req Request) (Result, error)
	// Workers is how many keys may be in work at a time; 0 means 1.
	Workers int
}

// Read says which keys a change of a table concerns.
type Read struct {
	Table string
	// Keys maps a change to keys. It is called for every object as if it had just been created when the host starts or has
	// lost events, and with the view after the change. It runs on the watch's goroutine: it must be quick. event.Old may
	// be nil for an update seen through a remote client.
	Keys func(view client.View, event client.Event) []Key
}

// Request is one call of Reconcile.
type Request struct {
	Key
	// View is the newest state at the time of the call. All reads of one run go there.
	View client.View
	// Now is the time of the call; deciders take it from here.
	Now time.Time
	// Client acts under the controller's identity.
	Client client.Client
	// Events tells users about what was done.
	Events *Recorder
	Log    *slog.Logger
	// Parallel is how many requests one run may have under way (see Each); below 2 means one after the other.
	Parallel int
}

// Result of a Reconcile without error.
type Result struct {
	// After, if above 0, asks for another look at the key after that time, unless something brings it up earlier.
	After time.Duration
}

// Self maps an object to its own key.
func Self(_ client.View, event client.Event) []Key { return []Key{KeyOf(event.Object)} }

// ControllerKeys are the keys of the controlling owner of an object, if it is of that kind, and of the one before the change.
func ControllerKeys(event client.Event, kind schema.GroupVersionKind) []Key {
	var keys []Key
	for _, obj := range []client.Object{event.Object, event.Old} {
		if obj == nil {
			continue
		}
		ref := metav1.GetControllerOfNoCopy(obj)
		if ref == nil || ref.Kind != kind.Kind {
			continue
		}
		gv, err := schema.ParseGroupVersion(ref.APIVersion)
		key := Key{Namespace: obj.GetNamespace(), Name: ref.Name}
		if err == nil && gv.Group == kind.Group && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// readsOf are what the controller reads of a table. row is the table's if users defined it, or nil.
func (c *Controller) readsOf(table string, row *resource.Resource) []Read {
	var reads []Read
	for _, read := range c.Reads {
		if read.Table == table {
			reads = append(reads, read)
		}
	}
	if row != nil && c.Custom != nil {
		if read, wanted := c.Custom(row); wanted {
			reads = append(reads, read)
		}
	}
	return reads
}

// EventSource is the component that the controller's events name.
func (c Controller) EventSource() string {
	if c.Source != "" {
		return c.Source
	}
	return c.Identity[strings.LastIndex(c.Identity, ":")+1:]
}
