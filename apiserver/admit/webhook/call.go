package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"proa/apiserver/admit/review"
)

// A webhook's call ends in one of these: an answer; callError, which failurePolicy is for; or another error, which refuses the
// write.
type callError struct {
	webhook string
	reason  error
}

func (e *callError) Error() string {
	return fmt.Sprintf("failed calling webhook %q: %v", e.webhook, e.reason)
}

func (e *callError) Unwrap() error { return e.reason }

// question is a call that is ready to be made. Making it reads nothing of the write: several can be made at once.
type question struct {
	name      string // of the webhook
	operation string
	ignores   bool  // a failure to call it lets the write pass
	hook      *hook // nil: the question could not be made
	review    admissionReview
	mutating  bool
}

// ask makes the question to a webhook about a write.
func (h *hook) ask(w *review.Write, form review.Form) (*question, error) {
	if w.DryRun && h.SideEffects == nil {
		return nil, &callError{h.Name, fmt.Errorf("Webhook SideEffects is nil")} //nolint:staticcheck // upstream's text
	}
	if w.DryRun && !h.leavesNothing() {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("admission webhook %q does not support dry run", h.Name))
	}
	r, err := newReview(h.AdmissionReviewVersions, w, form)
	if err != nil {
		return nil, &callError{h.Name, fmt.Errorf("could not create admission objects: %w", err)}
	}
	return &question{name: h.Name, operation: string(w.Does()), ignores: h.ignores(), hook: h, review: r}, nil
}

// send sends the question and reads the answer.
func (w *Webhooks) send(ctx context.Context, q *question) (*answer, error) {
	h := q.hook
	endpoint, err := w.cfg.Caller.Endpoint(h.target())
	if err != nil {
		return nil, &callError{h.Name, fmt.Errorf("could not get REST client: %w", err)}
	}
	document, err := json.Marshal(q.review.document)
	if err != nil {
		return nil, &callError{h.Name, fmt.Errorf("could not create admission objects: %w", err)}
	}
	if h.TimeoutSeconds != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(*h.TimeoutSeconds)*time.Second)
		defer cancel()
	}
	body, err := endpoint.Post(ctx, timeLeft(ctx), document)
	if err != nil {
		return nil, &callError{h.Name, fmt.Errorf("failed to call webhook: %w", err)}
	}
	a, err := q.review.read(body, q.mutating)
	if err != nil {
		return nil, &callError{h.Name, err}
	}
	return a, nil
}

// timeLeft tells the webhook how long it will be waited for, in whole seconds.
func timeLeft(ctx context.Context) url.Values {
	deadline, ok := ctx.Deadline()
	if !ok {
		return nil
	}
	left := time.Until(deadline)
	if left <= 0 {
		return nil
	}
	if whole := left.Truncate(time.Second); whole != left {
		left = whole + time.Second
	}
	return url.Values{"timeout": {left.String()}}
}

// timedOut is the answer when nobody waits any longer.
func timedOut() error {
	return apierrors.NewTimeoutError("request did not complete within requested timeout", 0)
}

func gvk(version string) schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: "admission.k8s.io", Version: version, Kind: "AdmissionReview"}
}
