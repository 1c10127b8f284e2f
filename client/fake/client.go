package fake

import (
	"context"
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/client"
)

type fakeClient struct {
	api      *API
	identity string
}

// View implements client.Client.
func (c *fakeClient) View() client.View { return c.api.view() }

// WaitFor implements client.Client: views are always up to date.
func (c *fakeClient) WaitFor(ctx context.Context, _ client.Object) error { return ctx.Err() }

// GetLive implements client.Client.
func (c *fakeClient) GetLive(_ context.Context, ref client.Ref) (client.Object, error) {
	obj := c.api.view().Get(ref)
	if obj == nil {
		return nil, c.api.notFound(ref)
	}
	return obj, nil
}

// Watch implements client.Client.
func (c *fakeClient) Watch(table string, after client.View) (client.Watcher, error) {
	a := c.api
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.watches++
	w := &watcher{api: a, table: table, id: a.mu.watches}
	for w.next < len(a.mu.history) && a.mu.history[w.next].revision <= after.Revision() {
		w.next++
	}
	return w, nil
}

type watcher struct {
	api   *API
	table string
	id    int
	next  int // index into the history
}

var errBroken = errors.New("watch was broken")

// Next implements client.Watcher.
func (w *watcher) Next(ctx context.Context) ([]client.Event, error) {
	for {
		events, changed, err := w.take()
		if err != nil || len(events) > 0 {
			return events, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-changed:
		}
	}
}

func (w *watcher) take() ([]client.Event, <-chan struct{}, error) {
	w.api.mu.Lock()
	defer w.api.mu.Unlock()
	if w.id <= w.api.mu.broken {
		return nil, nil, errBroken
	}
	var events []client.Event
	for ; w.next < len(w.api.mu.history); w.next++ {
		if c := w.api.mu.history[w.next]; c.table == w.table {
			events = append(events, c.event)
		}
	}
	return events, w.api.mu.changed, nil
}

// Create implements client.Client.
func (c *fakeClient) Create(_ context.Context, ref client.Ref, sub string, obj client.Object, _ metav1.CreateOptions) (client.Object, error) {
	return c.api.write(c.identity, "create", ref, sub, func(ref *client.Ref) (client.Object, string, error) {
		if sub != "" {
			return c.api.createSubLocked(*ref, sub, obj)
		}
		return c.api.createLocked(ref, obj.DeepCopyObject().(client.Object))
	})
}

// Update implements client.Client.
func (c *fakeClient) Update(_ context.Context, ref client.Ref, sub string, obj client.Object, _ metav1.UpdateOptions) (client.Object, error) {
	return c.api.write(c.identity, "update", ref, sub, func(ref *client.Ref) (client.Object, string, error) {
		ref.Name, ref.Namespace = obj.GetName(), obj.GetNamespace()
		return c.api.updateLocked(*ref, sub, obj.DeepCopyObject().(client.Object))
	})
}

// Patch implements client.Client. Server-side apply is not there.
func (c *fakeClient) Patch(_ context.Context, ref client.Ref, sub string, kind types.PatchType, patch []byte, _ metav1.PatchOptions) (client.Object, error) {
	return c.api.write(c.identity, "patch", ref, sub, func(ref *client.Ref) (client.Object, string, error) {
		return c.api.patchLocked(*ref, sub, kind, patch)
	})
}

// Delete implements client.Client.
func (c *fakeClient) Delete(_ context.Context, ref client.Ref, opts metav1.DeleteOptions) error {
	_, err := c.api.write(c.identity, "delete", ref, "", func(ref *client.Ref) (client.Object, string, error) {
		return c.api.deleteLocked(*ref, opts)
	})
	return err
}

// write does one write under the lock, after the faults, and notes it.
func (a *API) write(identity, verb string, ref client.Ref, sub string, do func(*client.Ref) (client.Object, string, error)) (client.Object, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	action := Action{Identity: identity, Verb: verb, Ref: ref, Sub: sub}
	var obj client.Object
	for _, fault := range a.mu.faults {
		if action.Err = fault(action); action.Err != nil {
			break
		}
	}
	if action.Err == nil && a.kinds.ByTable(ref.Table) == nil {
		action.Err = apierrors.NewBadRequest("the fake knows no table " + ref.Table)
	}
	if action.Err == nil {
		obj, action.Detail, action.Err = do(&action.Ref)
	}
	a.mu.log = append(a.mu.log, action)
	return obj, action.Err
}
