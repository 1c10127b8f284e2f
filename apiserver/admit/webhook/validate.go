package webhook

import (
	"context"
	"errors"
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"proa/apiserver/admit/review"
)

// validate calls all webhooks that the write concerns at the same time. Of several refusals the first in their order counts.
func (w *Webhooks) validate(ctx context.Context, write *review.Write, hooks []*hook) error {
	questions, failed, err := w.questions(ctx, write, hooks)
	if err != nil {
		return err
	}
	if len(questions) > 0 && ctx.Err() != nil {
		return timedOut()
	}
	answers := make([]*answer, len(questions))
	var calls sync.WaitGroup
	for i, q := range questions {
		if q.hook == nil {
			continue
		}
		calls.Go(func() { answers[i], failed[i] = w.put(ctx, q) })
	}
	calls.Wait()
	var first error
	for i, q := range questions {
		if err := w.judge(write, i, q, answers[i], failed[i]); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// questions makes the questions to the webhooks that the write concerns. One that cannot be made has an error, and is not put.
func (w *Webhooks) questions(ctx context.Context, write *review.Write, hooks []*hook) (all []*question, failed []error, err error) {
	for _, h := range hooks {
		form, concerned, err := w.concerns(ctx, h, write)
		if err != nil {
			return nil, nil, err
		}
		if !concerned {
			continue
		}
		q, err := h.ask(write, form)
		if err != nil {
			q = &question{name: h.Name, ignores: h.ignores()}
		}
		all, failed = append(all, q), append(failed, err)
	}
	return all, failed, nil
}

// judge says whether an answer refuses the write.
func (w *Webhooks) judge(write *review.Write, index int, q *question, a *answer, err error) error {
	var call *callError
	switch {
	case errors.As(err, &call) && q.ignores:
		w.cfg.Log.Warn("webhook could not be called, and is passed over", "webhook", q.name, "err", err)
		if !errors.Is(err, context.Canceled) {
			write.Annotate(fmt.Sprintf("failed-open.validating.webhook.admission.k8s.io/round_0_index_%d", index), q.name)
		}
		return nil
	case call != nil:
		return apierrors.NewInternalError(err)
	case err != nil:
		return err
	}
	a.tell(write, q.name)
	if !a.allowed {
		return refusal(q.name, a.result)
	}
	return nil
}

// tell passes on what the webhook wants the user and the audit to know.
func (a *answer) tell(write *review.Write, name string) {
	for key, value := range a.annotations {
		write.Annotate(name+"/"+key, value)
	}
	for _, text := range a.warnings {
		write.Warn(text)
	}
}
