package verbs

import (
	"bytes"
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"proa/apiserver/admit"
	"proa/apiserver/encode"
	"proa/kinds/resource"
	"proa/store"
)

// storedLimit is the size of the largest object that is kept, as etcd's default.
const storedLimit = 1536 << 10

// Result is what a write did.
type Result struct {
	Item    *store.Item     // the version that is stored now, or the last one if Deleted
	Object  resource.Object // what would be stored: set instead of Item by a dry run
	Created bool
	Deleted bool
}

// Stored is the result as an object of the stored version. It is shared: callers must not change it.
func (r *Result) Stored() (resource.Object, error) {
	if r.Item == nil {
		return r.Object, nil
	}
	obj, ok := r.Item.Value().(resource.Object)
	if !ok {
		return nil, fmt.Errorf("decode %v: %v", r.Item.Key, r.Item.Value())
	}
	return obj, nil
}

// ruled is the result in the version that the rules of the row are for. It is shared: callers must not change it.
func (r *Result) ruled(version *encode.Version) (resource.Object, error) {
	if r.Item == nil {
		return r.Object, nil
	}
	return version.Ruled(r.Item)
}

// put commits obj over old (nil: a new object), together with the claims of admission. obj belongs to the store from
// here on. An object whose bytes did not change is not written.
func (v *Verbs) put(ctx context.Context, q *Request, obj resource.Object, old *store.Item, claims []store.Op, dryRun bool) (Result, error) {
	if dryRun && q.Version.Resource.Custom != nil {
		return v.dry(obj, q.Version.Resource, old)
	}
	if !dryRun && obj.GetSelfLink() != "" {
		obj.SetSelfLink("") // no store keeps it
	}
	obj, err := q.Version.Keep(obj)
	if err != nil {
		return Result{}, err
	}
	sent := obj.GetResourceVersion()
	data, err := encode.ToStore(obj)
	if err != nil {
		return Result{}, err
	}
	if len(data) > storedLimit && obj.GetManagedFields() != nil {
		obj.SetManagedFields(nil) // what can be rebuilt goes first, as upstream's
		if data, err = encode.ToStore(obj); err != nil {
			return Result{}, err
		}
	}
	if len(data) > storedLimit {
		return Result{}, apierrors.NewRequestEntityTooLargeError(fmt.Sprintf("limit is %d", storedLimit))
	}
	r := q.Version.Resource.Stored()
	op := store.Op{Key: q.key(), Expect: store.Absent, Data: data, Value: obj, Relaxed: r.Relaxed}
	if old != nil {
		op.Expect = old.Revision
		if bytes.Equal(old.Data, data) {
			return Result{Item: old}, nil
		}
	}
	if v.settle.Hollow(obj) {
		op.Value = nil // everyone reads what the bytes say
	} else {
		op.Stamp = func(rev store.Revision) { encode.Stamp(obj, r, rev) }
	}
	if dryRun {
		return v.tried(op, r, old, sent)
	}
	if op.Value != nil {
		v.settle.Share(obj, valueOf(old))
	}
	rev, err := v.Store.Commit(ctx, append(claims, op)...)
	if err != nil {
		return Result{}, err
	}
	if op.Value != nil && old == nil {
		v.settle.Remember(obj)
	}
	created := rev
	if old != nil {
		created = old.Created
	}
	return Result{Item: v.published(op, rev, created), Created: old == nil}, nil
}

// valueOf is the object of an item, or nil.
func valueOf(item *store.Item) resource.Object {
	if item == nil {
		return nil
	}
	obj, _ := item.Value().(resource.Object) // one that cannot be decoded is none
	return obj
}

// tried is the object that op would store, as it would be read. Like upstream, a try of a creation keeps the revision that the
// client sent, which a store would refuse.
func (v *Verbs) tried(op store.Op, r *resource.Resource, old *store.Item, sent string) (Result, error) {
	would := Result{Item: store.NewItem(op.Key, 0, 0, op.Data, op.Value, v.decode)}
	obj, err := would.Stored()
	if err != nil {
		return Result{}, err
	}
	if op.Value == nil {
		obj = copyOf(obj) // what was decoded is shared
	}
	obj.SetResourceVersion(sent)
	return v.dry(obj, r, old)
}

// dry checks what a commit would have checked, and answers with the object as it would be.
func (v *Verbs) dry(obj resource.Object, r *resource.Resource, old *store.Item) (Result, error) {
	obj.GetObjectKind().SetGroupVersionKind(r.GroupVersionKind())
	if old != nil {
		obj.SetResourceVersion(encode.FormatRevision(old.Revision))
	}
	return Result{Object: obj, Created: old == nil}, nil
}

// published is the item of a commit: the store's own if no other write came since, so that its forms are shared.
func (v *Verbs) published(op store.Op, rev, created store.Revision) *store.Item {
	if item := v.Store.Snapshot().Get(op.Key); item != nil && item.Revision == rev {
		return item
	}
	return store.NewItem(op.Key, rev, created, op.Data, op.Value, v.decode)
}

// remove deletes what is stored. last is the object as watchers see it for the last time: nil means as it is stored.
func (v *Verbs) remove(ctx context.Context, q *Request, old *store.Item, last resource.Object, claims []store.Op, dryRun bool) (Result, error) {
	data := old.Data
	if last != nil {
		last, err := q.Version.Keep(last)
		if err != nil {
			return Result{}, err
		}
		if data, err = encode.ToStore(last); err != nil {
			return Result{}, err
		}
	}
	if dryRun {
		return Result{Item: store.NewItem(old.Key, old.Revision, old.Created, data, nil, v.decode), Deleted: true}, nil
	}
	op := store.Op{Key: old.Key, Expect: old.Revision, Delete: true, Data: data, Relaxed: q.Version.Resource.Relaxed}
	rev, err := v.Store.Commit(ctx, append(claims, op)...)
	if err != nil {
		return Result{}, err
	}
	return Result{Item: store.NewItem(old.Key, rev, old.Created, data, nil, v.decode), Deleted: true}, nil
}

// attributes is what admission sees of a write.
func (v *Verbs) attributes(q *Request, op admit.Operation, obj, old resource.Object, snap store.Snapshot, dryRun bool) *admit.Attributes {
	return &admit.Attributes{
		Operation: op, Verb: q.Verb, Resource: q.Version.Resource, Version: q.Version, Body: q.body, Options: q.options, Subresource: q.Subresource, Namespace: q.Namespace, Name: q.Name,
		User: q.User, Object: obj, Old: old, DryRun: dryRun, Snapshot: snap, Now: v.Clock.Now(), Warn: q.warn, Annotate: q.annotate,
	}
}

// admit lets admission change or refuse a write, and validate refuse what is about to be stored, unless that was asked already.
func (v *Verbs) admit(ctx context.Context, q *Request, a *admit.Attributes) error {
	if q.admitted {
		return nil
	}
	return v.Admission.Admit(ctx, a)
}

func (v *Verbs) validate(ctx context.Context, q *Request, a *admit.Attributes) error {
	if q.admitted {
		return nil
	}
	return v.Admission.Validate(ctx, a)
}

func isDryRun(values []string) bool { return len(values) > 0 }
