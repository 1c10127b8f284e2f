package verbs

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/apiserver/admit"
	"proa/apiserver/auth"
	"proa/apiserver/encode"
	"proa/kinds/meta"
	"proa/kinds/resource"
	"proa/store"
)

// change is one way to make a new object out of a stored one. It is tried again when another writer was first.
type change struct {
	// apply makes the new object; the result belongs to the caller. old is shared, or nil if nothing is stored.
	apply func(old resource.Object) (resource.Object, error)
	// create allows the object to be absent.
	create bool
	// conditional: an object without resourceVersion is only taken if the kind allows it, as PUT has it.
	conditional bool
	// applied: apply keeps the ownership of fields itself.
	applied bool
	// take puts what admission made of the request's body into the object. nil: admission changes the object itself.
	take func(obj, old resource.Object) error
	// relaxed rules of a subresource; nil for the resource itself.
	door *resource.Subresource

	manager string
	dryRun  bool
}

// Update replaces the stored object, or with q.Subresource the part that the subresource opens. obj is an object of
// the stored version and belongs to the store from here on.
func (v *Verbs) Update(ctx context.Context, q Request, obj resource.Object, opts metav1.UpdateOptions) (Result, error) {
	if errs := validation.ValidateUpdateOptions(&opts); len(errs) > 0 {
		return Result{}, apierrors.NewInvalid(schema.GroupKind{Group: metav1.GroupName, Kind: "UpdateOptions"}, "", errs)
	}
	q = q.withOptions("UpdateOptions", &opts)
	if err := checkName(&q, obj); err != nil {
		return Result{}, err
	}
	v.fill(q.Version.Resource, obj)
	door, err := doorOf(&q)
	if err != nil {
		return Result{}, err
	}
	dedupOwners(&q, obj)
	return v.change(ctx, q, change{
		apply:       func(resource.Object) (resource.Object, error) { return copyOf(obj), nil },
		create:      q.Version.Resource.AllowCreateOnUpdate && door == nil,
		conditional: true,
		door:        door,
		manager:     q.manager(opts.FieldManager),
		dryRun:      isDryRun(opts.DryRun),
	})
}

// doorOf finds the rules of the request's subresource; nil means the resource itself.
func doorOf(q *Request) (*resource.Subresource, error) {
	r := q.Version.Resource
	if q.Subresource == "" {
		return nil, nil
	}
	if q.Subresource == "status" && r.Status != nil {
		return r.Status, nil
	}
	for i := range r.Subresources {
		if r.Subresources[i].Name == q.Subresource {
			return &r.Subresources[i], nil
		}
	}
	return nil, notFound(q)
}

// change makes c true of the stored object, however many other writers there are.
func (v *Verbs) change(ctx context.Context, q Request, c change) (Result, error) {
	for {
		result, err := v.changeOnce(ctx, q, c)
		if err == nil || !lostRace(err) {
			return result, err
		}
		if err := ctx.Err(); err != nil {
			return Result{}, err
		}
	}
}

func (v *Verbs) changeOnce(ctx context.Context, q Request, c change) (Result, error) {
	snap := v.Store.Snapshot()
	item := snap.Get(q.key())
	if item == nil {
		return v.changeAbsent(ctx, q, c)
	}
	old, err := q.Version.Ruled(item)
	if err != nil {
		return Result{}, err
	}
	obj, err := c.apply(old)
	if err != nil {
		return Result{}, err
	}
	if err := v.preconditions(&q, c, obj, old); err != nil {
		return Result{}, err
	}
	if !c.applied {
		if err := v.Fields.Update(q.Version, q.Subresource, old, obj, c.manager, v.Clock.Now()); err != nil {
			return Result{}, err
		}
	}
	a := v.attributes(&q, admit.Update, obj, old, snap, c.dryRun)
	if err := v.admit(ctx, &q, a); err != nil {
		return Result{}, err
	}
	if c.take != nil {
		if err := c.take(obj, old); err != nil {
			return Result{}, err
		}
	}
	dedupOwners(&q, obj)
	if err := v.validateUpdate(ctx, &q, c.door, obj, old); err != nil {
		return Result{}, err
	}
	keepTimes(obj, old)
	claims, err := v.Admission.Claim(ctx, a)
	if err != nil {
		return Result{}, err
	}
	if err := v.validate(ctx, &q, a); err != nil {
		return Result{}, err
	}
	if finished(obj, old) {
		a.Operation, a.Old, a.Object = admit.Delete, old, nil
		claims, err := v.Admission.Claim(ctx, a)
		if err != nil {
			return Result{}, err
		}
		return v.finish(ctx, &q, obj, item, claims, c.dryRun)
	}
	return v.put(ctx, &q, obj, item, claims, c.dryRun)
}

// finish removes what is stored, for obj, an update of it, took away the last thing that held it. To the client this is an update
// that succeeded: like upstream, it answers with what would have been stored, as it was sent, while watchers see what was stored.
func (v *Verbs) finish(ctx context.Context, q *Request, obj resource.Object, item *store.Item, claims []store.Op, dryRun bool) (Result, error) {
	obj, err := q.Version.Keep(obj)
	if err != nil {
		return Result{}, err
	}
	data, err := encode.ToStore(obj)
	if err != nil {
		return Result{}, err
	}
	if _, err := v.remove(ctx, q, item, nil, claims, dryRun); err != nil {
		return Result{}, err
	}
	var shown any
	if v.settle.Hollow(obj) {
		encode.Stamp(obj, q.Version.Resource.Stored(), item.Revision)
		shown = obj
	}
	return Result{Item: store.NewItem(item.Key, item.Revision, item.Created, data, shown, v.decode)}, nil
}

// preconditions compares what the client knows of the object with what is stored.
func (v *Verbs) preconditions(q *Request, c change, obj, old resource.Object) error {
	if err := matchNamespace(q, obj); err != nil {
		return err
	}
	if err := checkName(q, obj); err != nil {
		return err
	}
	if uid := obj.GetUID(); c.conditional && uid != "" && uid != old.GetUID() {
		return uidMismatch(q, uid, old.GetUID(), c.dryRun)
	}
	rev := obj.GetResourceVersion()
	switch n, err := strconv.ParseUint(rev, 10, 64); {
	case rev != "" && err != nil:
		return err // upstream answers 500 with these words
	case n == 0:
		if !q.Version.Resource.AllowUnconditionalUpdate {
			kind := schema.GroupKind{Group: q.groupResource().Group, Kind: q.groupResource().Resource}
			return apierrors.NewInvalid(kind, q.Name, field.ErrorList{field.Invalid(
				field.NewPath("metadata", "resourceVersion"), 0, "must be specified for an update")})
		}
		obj.SetResourceVersion(old.GetResourceVersion())
	case rev != old.GetResourceVersion():
		return apierrors.NewConflict(q.groupResource(), q.Name, errors.New(modified))
	}
	return nil
}

// changeAbsent handles a name under which nothing is stored.
func (v *Verbs) changeAbsent(ctx context.Context, q Request, c change) (Result, error) {
	names := q.Version.Resource.AllowCreateOnUpdate && (c.conditional || c.applied) // a status that names a uid conflicts
	if !c.create && !names {
		return Result{}, notFound(&q)
	}
	obj, err := c.apply(nil)
	if err != nil {
		return Result{}, err
	}
	if uid := obj.GetUID(); c.conditional && uid != "" {
		return Result{}, uidMismatch(&q, uid, "", c.dryRun)
	} else if uid != "" {
		return Result{}, apierrors.NewConflict(q.groupResource(), q.Name,
			errors.New("uid mismatch: the provided object specified uid "+string(obj.GetUID())+", and no existing object was found"))
	}
	if !c.create {
		return Result{}, notFound(&q)
	}
	if err := matchNamespace(&q, obj); err != nil {
		return Result{}, err
	}
	if err := checkName(&q, obj); err != nil {
		return Result{}, err
	}
	if err := v.mayCreate(ctx, &q); err != nil {
		return Result{}, err
	}
	if rev := obj.GetResourceVersion(); rev != "" {
		if _, err := strconv.ParseUint(rev, 10, 64); err != nil {
			return Result{}, err // as with what is stored; which revision it names does not matter
		}
	}
	if !c.dryRun {
		obj.SetResourceVersion("")
	}
	opts := metav1.CreateOptions{FieldManager: c.manager}
	if c.dryRun {
		opts.DryRun = []string{metav1.DryRunAll}
	}
	q = q.withOptions("CreateOptions", &opts)
	if c.applied {
		return v.createApplied(ctx, q, obj, c.dryRun)
	}
	return v.createOnce(ctx, q, obj, opts)
}

// mayCreate asks whether the user of an update may also create, which is what the update turned out to be.
func (v *Verbs) mayCreate(ctx context.Context, q *Request) error {
	a := auth.Attributes{User: q.User, Verb: "create", APIGroup: q.Version.Kind.Group, APIVersion: q.Version.Kind.Version,
		Resource: q.Version.Resource.Name, Namespace: q.Namespace, Name: q.Name, IsResourceRequest: true}
	allowed, reason, err := v.Authorizer.Authorize(ctx, a)
	if allowed {
		return nil
	}
	if err != nil {
		return apierrors.NewInternalError(err)
	}
	return apierrors.NewForbidden(q.groupResource(), q.Name, errors.New(forbiddenReason(reason)))
}

func forbiddenReason(reason string) string {
	if reason == "" {
		return "not permitted"
	}
	return reason
}

// validateUpdate resets what the request may not change, and checks the rest.
func (v *Verbs) validateUpdate(ctx context.Context, q *Request, door *resource.Subresource, obj, old resource.Object) error {
	r := q.Version.Resource
	obj.SetGeneration(old.GetGeneration())
	prepare := r.PrepareUpdate
	if door != nil {
		prepare = door.PrepareUpdate
	}
	if prepare != nil {
		prepare(obj, old)
	}
	if door != nil && door.RecordUpdate != nil {
		door.RecordUpdate(obj, old, v.Clock.Now())
	}
	if obj.GetUID() == "" { // another one is refused: who names it means an object that is gone
		obj.SetUID(old.GetUID())
	}
	obj.SetCreationTimestamp(old.GetCreationTimestamp())
	if at := old.GetDeletionTimestamp(); at != nil {
		obj.SetDeletionTimestamp(at)
	}
	if obj.GetDeletionGracePeriodSeconds() == nil && old.GetDeletionGracePeriodSeconds() != nil {
		obj.SetDeletionGracePeriodSeconds(old.GetDeletionGracePeriodSeconds())
	}
	errs := meta.ValidateUpdate(r, obj, old, door)
	errs = append(errs, q.Version.ValidateUpdate(q.warning(ctx), obj, old, door)...)
	if len(errs) > 0 {
		return apierrors.NewInvalid(q.groupKind(obj), q.Name, errs)
	}
	warnings := r.Warnings
	if door != nil {
		warnings = door.Warnings
	}
	if warnings != nil {
		for _, w := range warnings(obj, old) {
			q.warn(w)
		}
	}
	return nil
}

func (v *Verbs) serveUpdate(w http.ResponseWriter, c *call) error {
	var opts metav1.UpdateOptions
	if query := c.query(); len(query) > 0 {
		if err := metav1.Convert_url_Values_To_v1_UpdateOptions((*url.Values)(&query), &opts, nil); err != nil {
			return apierrors.NewBadRequest(err.Error())
		}
	}
	if errs := validation.ValidateUpdateOptions(&opts); len(errs) > 0 { // before the body is looked at
		return apierrors.NewInvalid(schema.GroupKind{Group: metav1.GroupName, Kind: "UpdateOptions"}, "", errs)
	}
	obj, err := c.object(opts.FieldValidation)
	if err != nil {
		return err
	}
	if err := c.matchNamespace(obj); err != nil {
		return err
	}
	stored, err := c.Version.ToStored(obj)
	if err != nil {
		return err
	}
	result, err := v.Update(c.raw.Context(), c.Request, stored, opts)
	if err != nil {
		return err
	}
	return c.answer(v, w, codeOf(result), result)
}

func codeOf(result Result) int {
	if result.Created {
		return http.StatusCreated
	}
	return http.StatusOK
}
