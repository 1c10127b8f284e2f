package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"

	"proa/apiserver/admit/review"
	"proa/apiserver/encode"
	"proa/apiserver/patch"
)

const step = "MutatingAdmissionWebhook"

// rounds is what is known of the first round in the second.
type rounds struct {
	called  map[string]bool // hooks that want to be called again if the object changed after them
	again   map[string]bool // hooks that are to be called again
	written runtime.Object  // the object as the last webhook left it
}

// requireAgain has all hooks called again that were called so far and want it.
func (r *rounds) requireAgain() {
	for id := range r.called {
		r.again[id] = true
	}
	clear(r.called)
}

// mutate calls the webhooks that the write concerns, each with what the one before made of the object.
func (w *Webhooks) mutate(ctx context.Context, write *review.Write, hooks []*hook) error {
	r, _ := write.Noted(step).(*rounds)
	if r == nil {
		r = &rounds{called: map[string]bool{}, again: map[string]bool{}}
		write.Note(step, r)
	}
	if write.Round > 0 && !equality.Semantic.DeepEqual(r.written, write.Current()) {
		r.requireAgain() // by other steps
	}
	for i, h := range hooks {
		form, concerned, err := w.concerns(ctx, h, write)
		if err != nil {
			return err
		}
		if !concerned || write.Round > 0 && !r.again[h.id] {
			continue
		}
		changed, err := w.mutateBy(ctx, write, h, form, i)
		if changed {
			r.requireAgain()
			write.AskAgain()
		}
		if h.ReinvocationPolicy != nil && *h.ReinvocationPolicy == admissionregistrationv1.IfNeededReinvocationPolicy {
			r.called[h.id] = true
		}
		if err := w.excuse(ctx, write, h, i, err); err != nil {
			return err
		}
	}
	if now := write.Current(); now != nil {
		r.written = now.DeepCopyObject()
	}
	return nil
}

// excuse passes over a webhook that could not be called, if its policy says so.
func (w *Webhooks) excuse(ctx context.Context, write *review.Write, h *hook, index int, err error) error {
	var call *callError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &call):
		return err
	case !h.ignores():
		return apierrors.NewInternalError(err)
	}
	w.cfg.Log.Warn("webhook could not be called, and is passed over", "webhook", h.Name, "err", err)
	if !errors.Is(err, context.Canceled) {
		write.Annotate(fmt.Sprintf("failed-open.mutation.webhook.admission.k8s.io/round_%d_index_%d", write.Round, index), h.Name)
	}
	if ctx.Err() != nil {
		return timedOut()
	}
	return nil
}

// mutateBy calls one webhook and makes its changes.
func (w *Webhooks) mutateBy(ctx context.Context, write *review.Write, h *hook, form review.Form, index int) (changed bool, err error) {
	defer func() {
		record(write, h, index, "mutation.webhook.admission.k8s.io", map[string]any{"mutated": changed})
	}()
	q, err := h.ask(write, form)
	if err != nil {
		return false, err
	}
	q.mutating = true
	a, err := w.put(ctx, q)
	if err != nil {
		return false, err
	}
	a.tell(write, h.Name)
	if !a.allowed {
		return false, refusal(h.Name, a.result)
	}
	if len(a.patch) == 0 {
		return false, nil
	}
	operations, err := jsonpatch.DecodePatch(a.patch)
	switch {
	case err != nil:
		return false, &callError{h.Name, fmt.Errorf("received undecodable patch in webhook response: %w", err)}
	case len(operations) == 0:
		return false, nil
	case write.Current() == nil:
		return false, apierrors.NewInternalError(fmt.Errorf("admission webhook %q attempted to modify the object, which is not supported for this operation", h.Name))
	case a.patchType != admissionv1.PatchTypeJSONPatch:
		return false, &callError{h.Name, fmt.Errorf("unsupported patch type %q", a.patchType)}
	}
	if changed, err = apply(write, form, operations); err != nil {
		return false, apierrors.NewInternalError(err)
	}
	record(write, h, index, "patch.webhook.admission.k8s.io", map[string]any{"patch": operations, "patchType": a.patchType})
	return changed, nil
}

// apply changes the object by a patch, and says whether that changed anything.
func apply(write *review.Write, form review.Form, operations jsonpatch.Patch) (bool, error) {
	now, _, err := write.Objects(form)
	if err != nil {
		return false, err
	}
	before, err := json.Marshal(now)
	if err != nil {
		return false, fmt.Errorf("encode %s: %w", form.Kind, err)
	}
	after, err := patch.Operations(operations, before)
	if err != nil {
		return false, err
	}
	next := write.New(form)
	if _, err := encode.Decode(after, encode.JSON, form.Kind, next, encode.Validation("Ignore")); err != nil {
		return false, err
	}
	changed := !equality.Semantic.DeepEqual(now, next)
	return changed, write.Put(form, next)
}

// record tells the audit what a webhook did.
func record(write *review.Write, h *hook, index int, prefix string, what map[string]any) {
	what["configuration"], what["webhook"] = h.configuration, h.Name
	text, err := json.Marshal(what)
	if err != nil {
		text = []byte(err.Error()) // a patch was decoded from JSON: it can be encoded again
	}
	write.Annotate(fmt.Sprintf("%s/round_%d_index_%d", prefix, write.Round, index), string(text))
}
