// Package webhook calls the admission webhooks that users configured.
//
// It decides which of them a write concerns, in which version they are shown it, and what their answers mean; it owns the
// compiled form of the configurations. The chain of admission steps calls it for every write; where nothing is configured, that
// costs a look at two counters. A webhook that cannot be called refuses the write, or is passed over, as its failurePolicy says.
package webhook

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"proa/apiserver/admit"
	"proa/apiserver/admit/review"
	"proa/apiserver/auth"
	"proa/apiserver/callout"
	"proa/kinds/admissionregistration"
)

// Config says how webhooks are reached.
type Config struct {
	Caller     *callout.Caller // required
	Authorizer auth.Authorizer // required: what match conditions ask
	Log        *slog.Logger    // optional: slog's default
	// Waited is told how long a request waited for a webhook. Optional.
	Waited func(ctx context.Context, d time.Duration)
}

// Webhooks is both kinds of webhooks. It is safe for many goroutines.
type Webhooks struct {
	cfg                  Config
	calls                *calls
	mutating, validating configured
}

// configured is the webhooks of one kind.
type configured struct {
	table   string
	current atomic.Pointer[compiled]
}

// New makes webhooks. It calls nobody.
func New(c Config) (*Webhooks, error) {
	if c.Caller == nil || c.Authorizer == nil {
		return nil, errors.New("make admission webhooks: Caller and Authorizer are required")
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	w := &Webhooks{cfg: c, calls: newCalls()}
	w.mutating.table, w.validating.table = admissionregistration.MutatingWebhooksTable, admissionregistration.ValidatingWebhooksTable
	return w, nil
}

// hooks lists the webhooks that a write may concern, by the names of their configurations and in their order there.
func (w *Webhooks) hooks(c *configured, a *admit.Attributes) []*hook {
	if a.Snapshot.Len(c.table, "") == 0 || review.Of(a).Exempt() {
		return nil
	}
	now := c.current.Load()
	if !now.isOf(c.table, a.Snapshot) {
		now = compile(c.table, a.Snapshot, now)
		c.current.Store(now)
	}
	return now.hooks
}

// Mutate lets webhooks change the object or refuse the write, one after the other.
func (w *Webhooks) Mutate(ctx context.Context, a *admit.Attributes) error {
	hooks := w.hooks(&w.mutating, a)
	if len(hooks) == 0 {
		return nil
	}
	return w.mutate(ctx, review.Of(a), hooks)
}

// Validate lets webhooks refuse the write, all at once.
func (w *Webhooks) Validate(ctx context.Context, a *admit.Attributes) error {
	hooks := w.hooks(&w.validating, a)
	if len(hooks) == 0 {
		return nil
	}
	return w.validate(ctx, review.Of(a), hooks)
}
