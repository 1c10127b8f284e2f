package webhook

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"proa/internal/measure"
)

// mostCalls bounds what is kept, for users choose the names of webhooks.
const mostCalls = 1000

// called is what calls are counted by.
type called struct {
	name, step, operation, failure string
	code                           int
	rejected                       bool
}

// calls are the counters of webhooks, under upstream's names.
type calls struct {
	durations                  *measure.Table[called, measure.Histogram]
	answered, refused, ignored *measure.Table[called, atomic.Int64]
}

func newCalls() *calls {
	number := func() *atomic.Int64 { return new(atomic.Int64) }
	return &calls{
		durations: measure.NewTable[called](mostCalls, func() *measure.Histogram { return measure.NewHistogram(0.005, 0.025, 0.1, 0.5, 1, 2.5, 10, 25) }),
		answered:  measure.NewTable[called](mostCalls, number), refused: measure.NewTable[called](mostCalls, number), ignored: measure.NewTable[called](mostCalls, number),
	}
}

// put sends the question, reads the answer, and counts both.
func (w *Webhooks) put(ctx context.Context, q *question) (*answer, error) {
	began := time.Now()
	a, err := w.send(ctx, q)
	took := time.Since(began)
	w.took(ctx, took)
	key := called{name: q.name, step: "validating", operation: q.operation}
	if q.mutating {
		key.step = "admit"
	}
	code, failure, rejected := http.StatusOK, "", false
	var call *callError
	switch {
	case errors.As(err, &call):
		code, failure, rejected = http.StatusInternalServerError, "calling_webhook_error", !q.ignores
		if q.ignores && !errors.Is(err, context.Canceled) {
			w.calls.ignored.Of(called{name: q.name, step: key.step}).Add(1)
		}
	case err != nil:
		code, failure, rejected = 0, "apiserver_internal_error", true
	case !a.allowed:
		var status *apierrors.StatusError
		errors.As(refusal(q.name, a.result), &status)
		code, failure, rejected = min(int(status.ErrStatus.Code), 600), "no_error", true
	}
	key.rejected = rejected
	w.calls.durations.Of(key).Observe(took.Seconds())
	key.code = code
	w.calls.answered.Of(key).Add(1)
	if rejected {
		key.failure = failure
		w.calls.refused.Of(key).Add(1)
	}
	return a, err
}

// took tells who measures the request that it waited for others.
func (w *Webhooks) took(ctx context.Context, d time.Duration) {
	if w.cfg.Waited != nil {
		w.cfg.Waited(ctx, d)
	}
}

// Measures lists what dashboards know as apiserver_admission_webhook_*.
func (w *Webhooks) Measures() []measure.Family {
	durations := measure.Family{Name: "apiserver_admission_webhook_admission_duration_seconds", Help: "How long calls of admission webhooks took", Type: measure.Distribution,
		Labels: []string{"name", "type", "operation", "rejected"}}
	w.calls.durations.All(func(k called, h *measure.Histogram) {
		durations.AddHistogram(h, k.name, k.step, k.operation, strconv.FormatBool(k.rejected))
	})
	answered := measure.Family{Name: "apiserver_admission_webhook_request_total", Help: "Calls of admission webhooks", Type: measure.Counter,
		Labels: []string{"name", "type", "operation", "code", "rejected"}}
	w.calls.answered.All(func(k called, n *atomic.Int64) {
		answered.Add(float64(n.Load()), k.name, k.step, k.operation, strconv.Itoa(k.code), strconv.FormatBool(k.rejected))
	})
	refused := measure.Family{Name: "apiserver_admission_webhook_rejection_count", Help: "Writes that admission webhooks refused", Type: measure.Counter,
		Labels: []string{"name", "type", "operation", "error_type", "rejection_code"}}
	w.calls.refused.All(func(k called, n *atomic.Int64) {
		refused.Add(float64(n.Load()), k.name, k.step, k.operation, k.failure, strconv.Itoa(k.code))
	})
	ignored := measure.Family{Name: "apiserver_admission_webhook_fail_open_count", Help: "Calls of admission webhooks that failed, and were passed over", Type: measure.Counter,
		Labels: []string{"name", "type"}}
	w.calls.ignored.All(func(k called, n *atomic.Int64) { ignored.Add(float64(n.Load()), k.name, k.step) })
	return []measure.Family{durations, answered, refused, ignored}
}
