package webhook

import (
	"context"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"proa/apiserver/admit/review"
)

// concerns says whether a webhook is to be called about a write, and in which form it is to see it.
func (w *Webhooks) concerns(ctx context.Context, h *hook, write *review.Write) (review.Form, bool, error) {
	if h.broken != nil {
		return review.Form{}, false, apierrors.NewInternalError(h.broken)
	}
	form, matches, err := h.match.Of(write)
	if err != nil || !matches {
		return form, matches, err
	}
	if _, _, err := write.Objects(form); err != nil {
		return form, false, apierrors.NewInternalError(err)
	}
	if len(h.MatchConditions) == 0 {
		return form, true, nil
	}
	matches, err = review.Meets(ctx, h.conditions(), write, review.Evaluation{
		Form: form, Authorizer: w.cfg.Authorizer, Ignore: h.FailurePolicy != nil && *h.FailurePolicy == admissionv1.Ignore})
	if err != nil {
		return form, false, apierrors.NewForbidden(form.Resource.GroupResource(), write.Name, err)
	}
	return form, matches, nil
}
