package verbs

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/apiserver/admit"
	"proa/apiserver/encode"
	"proa/kinds/meta"
	"proa/kinds/resource"
	"proa/store"
)

// generateTries is how often a generated name is drawn before the user hears of the conflict, as upstream's.
const generateTries = 8

// Create stores obj, an object of the stored version, which belongs to the store from here on.
func (v *Verbs) Create(ctx context.Context, q Request, obj resource.Object, opts metav1.CreateOptions) (Result, error) {
	if errs := validation.ValidateCreateOptions(&opts); len(errs) > 0 {
		return Result{}, apierrors.NewInvalid(schema.GroupKind{Group: metav1.GroupName, Kind: "CreateOptions"}, "", errs)
	}
	q = q.withOptions("CreateOptions", &opts)
	wipeSystemFields(obj)
	v.fill(q.Version.Resource, obj)
	for try := 1; ; try++ {
		again := obj
		generated := obj.GetGenerateName() != "" && obj.GetName() == ""
		if generated && try < generateTries || v.Admission.Claims(q.Version.Resource, v.Store.Snapshot(), q.Namespace) {
			again = copyOf(obj) // another name, or another value for a claim, may be needed
		}
		result, err := v.createOnce(ctx, q, obj, opts)
		if err == nil || !lostRace(err) {
			return result, err
		}
		q.Name = obj.GetName()
		if taken := v.Store.Snapshot().Get(q.key()); taken != nil && (!generated || try == generateTries) {
			return Result{}, alreadyExists(&q, taken, again)
		}
		if err := ctx.Err(); err != nil {
			return Result{}, err
		}
		obj = again
	}
}

func copyOf(obj resource.Object) resource.Object { return obj.DeepCopyObject().(resource.Object) }

func alreadyExists(q *Request, taken *store.Item, obj resource.Object) error {
	err := apierrors.NewAlreadyExists(q.groupResource(), q.Name)
	if obj.GetGenerateName() != "" { // the group is the kind's, through whichever the request came, as upstream's
		err = apierrors.NewGenerateNameConflict(q.Version.Resource.GroupResource(), q.Name, 1)
	}
	if stored, ok := taken.Value().(resource.Object); ok && stored.GetDeletionTimestamp() != nil {
		err.ErrStatus.Message = "object is being deleted: " + err.ErrStatus.Message
	}
	return err
}

// createOnce is one try: from an object as the client sent it to a commit.
func (v *Verbs) createOnce(ctx context.Context, q Request, obj resource.Object, opts metav1.CreateOptions) (Result, error) {
	if c := q.Version.Resource.Custom; c != nil && c.Terminating {
		return Result{}, terminating(&q, obj.GetName())
	}
	snap := v.Store.Snapshot()
	dedupOwners(&q, obj)
	if !resetsManagedFields(obj) {
		obj.SetManagedFields(nil)
	}
	if err := v.Fields.Update(q.Version, q.Subresource, nil, obj, q.manager(opts.FieldManager), v.Clock.Now()); err != nil {
		return Result{}, err
	}
	q.Name = obj.GetName()
	dryRun := isDryRun(opts.DryRun)
	if q.Version.Resource.Table() == "namespaces" {
		q.Namespace = q.Name
	}
	a := v.attributes(&q, admit.Create, obj, nil, snap, dryRun)
	if err := v.admit(ctx, &q, a); err != nil {
		return Result{}, err
	}
	dedupOwners(&q, obj) // admission may have added some
	v.fillSystemFields(q.Version.Resource, obj)
	q.Name = obj.GetName()
	if err := v.validateCreate(ctx, &q, obj); err != nil {
		return Result{}, err
	}
	q.Name = obj.GetName() // some kinds name what has none
	a.Name = q.Name
	claims, err := v.Admission.Claim(ctx, a)
	if err != nil {
		return Result{}, err
	}
	if err := v.validate(ctx, &q, a); err != nil {
		return Result{}, err
	}
	if err := neverStored(obj, dryRun); err != nil {
		return Result{}, err
	}
	if snap.Get(q.key()) != nil {
		return Result{}, store.ErrExists // without waiting for the disk
	}
	return v.put(ctx, &q, obj, nil, claims, dryRun)
}

// neverStored refuses a new object that has a revision. Like upstream's storage, which a dry run does not reach, it answers 500
// and takes no notice of what is no number.
func neverStored(obj resource.Object, dryRun bool) error {
	rev, err := strconv.ParseUint(obj.GetResourceVersion(), 10, 64)
	if err != nil || rev == 0 || dryRun {
		return nil
	}
	return errors.New("resourceVersion should not be set on objects to be created")
}

func (v *Verbs) validateCreate(ctx context.Context, q *Request, obj resource.Object) error {
	r := q.Version.Resource
	if r.PrepareCreate != nil {
		r.PrepareCreate(obj)
	}
	if r.RecordCreate != nil {
		r.RecordCreate(obj, q.User.Info())
	}
	validate := func(obj resource.Object) field.ErrorList { return q.Version.Validate(q.warning(ctx), obj) }
	if errs := meta.ValidateCreate(r, obj, validate); len(errs) > 0 {
		return apierrors.NewInvalid(q.groupKind(obj), obj.GetName(), errs)
	}
	if r.Warnings != nil {
		for _, w := range r.Warnings(obj, nil) {
			q.warn(w)
		}
	}
	return nil
}

// terminating refuses objects of a kind that is about to end.
func terminating(q *Request, name string) error {
	return apierrors.NewForbidden(q.groupResource(), name, errors.New("create not allowed while custom resource definition is terminating"))
}

// wipeSystemFields drops what a client may not say of a new object. Like upstream, an update that creates keeps what it says.
func wipeSystemFields(obj resource.Object) {
	obj.SetDeletionTimestamp(nil)
	obj.SetDeletionGracePeriodSeconds(nil)
	obj.SetSelfLink("")
	obj.SetUID("")
	obj.SetCreationTimestamp(metav1.Time{})
}

// fill adds what a client left out.
func (v *Verbs) fill(r *resource.Resource, obj resource.Object) {
	if r.Default != nil {
		r.Default(obj)
	}
	if r.Stamp != nil {
		r.Stamp(obj, v.Clock.Now())
	}
}

func (v *Verbs) fillSystemFields(r *resource.Resource, obj resource.Object) {
	obj.SetCreationTimestamp(metav1.Time{Time: v.Clock.Now()}.Rfc3339Copy())
	obj.SetUID(uuid.NewUUID())
	switch {
	case obj.GetName() != "":
	case r.GeneratesNoName:
		obj.SetName(obj.GetGenerateName())
	case obj.GetGenerateName() != "":
		obj.SetName(generateName(obj.GetGenerateName()))
	}
}

func (v *Verbs) serveCreate(w http.ResponseWriter, c *call) error {
	if _, err := encode.ContentType(c.raw); err != nil { // before the options are looked at
		return err
	}
	opts, err := c.createOptions()
	if err != nil {
		return err
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
	result, err := v.Create(c.raw.Context(), c.Request, stored, opts)
	if err != nil {
		return err
	}
	return c.answer(v, w, http.StatusCreated, result)
}

// answer writes what a verb did.
func (c *call) answer(v *Verbs, w http.ResponseWriter, code int, result Result) error {
	if result.Item != nil {
		return c.respond(v).Item(w, code, c.Version, result.Item)
	}
	obj, err := c.Version.Tried(result.Object)
	if err != nil {
		return err
	}
	return c.respond(v).Object(w, code, c.Version, obj)
}
