package verbs

import (
	"context"
	"net/http"

	"proa/kinds/resource"
)

// Answer computes the answer of a virtual kind, such as a review, from the object that was sent, which it may change.
type Answer func(ctx context.Context, q Request, obj resource.Object) (resource.Object, error)

func (v *Verbs) findAnswer(c *call) (handler, error) {
	if v.Virtual[c.Version.Resource.Table()] == nil {
		return nil, nil
	}
	if c.Verb != "create" || c.Name != "" {
		return nil, methodNotAllowed(c.groupResource(), c.Verb)
	}
	return (*Verbs).serveAnswer, nil
}

// Ask answers an object of a virtual kind.
func (v *Verbs) Ask(ctx context.Context, q Request, obj resource.Object) (resource.Object, error) {
	answer := v.Virtual[q.Version.Resource.Table()]
	if answer == nil {
		return nil, notFound(&q)
	}
	out, err := answer(ctx, q, obj)
	if err != nil {
		return nil, err
	}
	out.GetObjectKind().SetGroupVersionKind(q.Version.Kind)
	return out, nil
}

func (v *Verbs) serveAnswer(w http.ResponseWriter, c *call) error {
	obj, err := c.object(c.query().Get("fieldValidation"))
	if err != nil {
		return err
	}
	if err := c.matchNamespace(obj); err != nil {
		return err
	}
	out, err := v.Ask(c.raw.Context(), c.Request, obj)
	if err != nil {
		return err
	}
	return c.respond(v).Object(w, http.StatusCreated, c.Version, out)
}
