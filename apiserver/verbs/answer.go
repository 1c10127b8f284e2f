package verbs

import (
	"context"
	"net/http"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"proa/apiserver/admit"
	"proa/apiserver/auth"
	"proa/apiserver/encode"
	"proa/kinds/resource"
)

// Answer computes the answer of a virtual kind, such as a review, from the object that was sent, which it may change. u is
// who asks; namespace is empty for kinds without.
type Answer func(ctx context.Context, u auth.User, namespace string, obj resource.Object) (resource.Object, error)

func (v *Verbs) findAnswer(c *call) (handler, error) {
	if slices.Contains(c.Version.Resource.Verbs, "list") {
		switch {
		case v.Observed == nil:
			return nil, nil
		case !slices.Contains(c.Version.Resource.Verbs, c.Verb):
			return nil, errMethod
		}
		return (*Verbs).serveObserved, nil
	}
	if v.Answer == nil {
		return nil, nil
	}
	if c.Verb != "create" || c.Name != "" {
		return nil, errMethod
	}
	return (*Verbs).serveAnswer, nil
}

// Ask answers an object of a virtual kind.
func (v *Verbs) Ask(ctx context.Context, q Request, obj resource.Object) (resource.Object, error) {
	if v.Answer == nil {
		return nil, notFound(&q)
	}
	a := v.attributes(&q, admit.Create, obj, nil, v.Store.Snapshot(), false)
	if err := v.Admission.Admit(ctx, a); err != nil {
		return nil, err
	}
	if errs := q.Version.Validate(ctx, obj); len(errs) > 0 { // upstream's decoder has taken the kind from the object by then
		return nil, apierrors.NewInvalid(schema.GroupKind{Group: q.Version.Kind.Group}, "", errs)
	}
	if err := v.Admission.Validate(ctx, a); err != nil {
		return nil, err
	}
	out, err := v.Answer(ctx, q.User, q.Namespace, obj)
	if err != nil {
		return nil, err
	}
	out.GetObjectKind().SetGroupVersionKind(q.Version.Kind)
	return out, nil
}

func (v *Verbs) serveAnswer(w http.ResponseWriter, c *call) error {
	if _, err := encode.ContentType(c.raw); err != nil {
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
	wipeSystemFields(obj)
	dedupOwners(&c.Request, obj)
	if !resetsManagedFields(obj) {
		obj.SetManagedFields(nil)
	}
	if err := v.Fields.Update(c.Version, "", nil, obj, c.manager(opts.FieldManager), v.Clock.Now()); err != nil {
		return err
	}
	out, err := v.Ask(c.raw.Context(), c.Request, obj)
	if err != nil {
		return err
	}
	return c.respond(v).Object(w, http.StatusCreated, c.Version, out)
}
