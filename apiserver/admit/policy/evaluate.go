package policy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	celtypes "github.com/google/cel-go/common/types"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	apiservercel "k8s.io/apiserver/pkg/cel"

	"proa/apiserver/admit/review"
)

// result is what a policy says of a write.
type result struct {
	decisions   []decision // one for each validation, or one alone for what went wrong
	annotations []annotation
}

type decision struct {
	denies  bool
	message string
	reason  metav1.StatusReason
}

// annotation is for the audit; or it failed, which denies.
type annotation struct{ key, value, failed string }

// longestAnnotation is how much of a value is recorded, in bytes.
const longestAnnotation = 10 << 10

// fails is the result of a policy that cannot be evaluated.
func (p *policy) fails(err error) result {
	return result{decisions: []decision{{denies: !p.ignores, message: err.Error()}}}
}

// evaluate lets a policy decide.
func (p *Policies) evaluate(ctx context.Context, w *review.Write, i invocation, namespace *corev1.Namespace) result {
	r, err := i.policy.rules()
	if err != nil {
		return i.policy.fails(err)
	}
	if r.conditions != nil {
		meets, err := review.Meets(ctx, r.conditions, w, review.Evaluation{Form: i.form, Authorizer: p.cfg.Authorizer, Params: i.param, Ignore: i.policy.ignores})
		if err != nil {
			return i.policy.fails(err)
		}
		if !meets {
			return result{}
		}
	}
	seen, err := w.Versioned(i.form)
	if err != nil {
		return i.policy.fails(fmt.Errorf("failed to convert object version: %w", err))
	}
	request := plugincel.CreateAdmissionRequest(seen.Attributes, metav1.GroupVersionResource(i.form.Resource), metav1.GroupVersionKind(i.form.Kind))
	all := plugincel.OptionalVariableBindings{VersionedParams: i.param, Authorizer: review.Authorizer{Ask: p.cfg.Authorizer}}
	few := plugincel.OptionalVariableBindings{VersionedParams: i.param}
	shown := plugincel.CreateNamespaceObject(namespace)
	results, budget, err := r.validations.ForInput(ctx, seen, request, all, shown, celconfig.RuntimeCELCostBudget)
	if err != nil {
		return i.policy.fails(err)
	}
	messages, _, messageErr := r.messages.ForInput(ctx, seen, request, few, shown, budget)
	out := result{decisions: make([]decision, len(results))}
	for n := range results {
		var message *plugincel.EvaluationResult
		if n < len(messages) {
			message = &messages[n]
		}
		out.decisions[n] = i.policy.decide(n, results[n], message, messageErr)
	}
	values, _, err := r.annotations.ForInput(ctx, seen, request, all, shown, celconfig.RuntimeCELCostBudget)
	if err != nil {
		return i.policy.fails(err)
	}
	for n, v := range values {
		if a, ok := i.policy.annotate(n, v); ok {
			out.annotations = append(out.annotations, a)
		}
	}
	return out
}

// decide says what the result of a validation means.
func (p *policy) decide(n int, r plugincel.EvaluationResult, message *plugincel.EvaluationResult, messageErr error) decision {
	switch {
	case r.Error != nil:
		return decision{denies: !p.ignores, message: r.Error.Error()}
	case errors.Is(messageErr, apiservercel.ErrInternal) || errors.Is(messageErr, apiservercel.ErrOutOfBudget):
		return decision{denies: !p.ignores, message: fmt.Sprintf("failed messageExpression: %s", messageErr)}
	case r.EvalResult == celtypes.True:
		return decision{}
	}
	validation := &p.validating.Spec.Validations[n]
	d := decision{denies: true, reason: metav1.StatusReasonInvalid, message: messageOf(message)}
	if validation.Reason != nil {
		d.reason = *validation.Reason
	}
	if d.message == "" {
		d.message = strings.TrimSpace(validation.Message)
	}
	if d.message == "" {
		d.message = "failed expression: " + strings.TrimSpace(validation.Expression)
	}
	return d
}

// messageOf is what a message expression says, or "" if that is nothing that can be shown in one line.
func messageOf(r *plugincel.EvaluationResult) string {
	if r == nil || r.Error != nil || r.EvalResult == nil {
		return ""
	}
	text, _ := r.EvalResult.Value().(string)
	text = strings.TrimSpace(text)
	if len(text) > celconfig.MaxEvaluatedMessageExpressionSizeBytes || strings.Contains(text, "\n") {
		return ""
	}
	return text
}

// annotate reads what an audit annotation evaluates to; nothing is not recorded.
func (p *policy) annotate(n int, r plugincel.EvaluationResult) (annotation, bool) {
	a := annotation{key: p.validating.Spec.AuditAnnotations[n].Key}
	if r.Error != nil {
		a.failed = r.Error.Error()
		return a, !p.ignores
	}
	text, ok := r.EvalResult.Value().(string)
	if !ok {
		return a, false // null: the compiler allows nothing else
	}
	a.value = strings.TrimSpace(text)
	a.value = a.value[:min(len(a.value), longestAnnotation)]
	return a, a.value != ""
}

// annotations gathers what several bindings say under the same key.
type annotations struct {
	keys   []string
	values map[string][]string
}

func (a *annotations) add(key, value string) {
	if a.values == nil {
		a.values = map[string][]string{}
	}
	if a.values[key] == nil {
		a.keys = append(a.keys, key)
	}
	if !slices.Contains(a.values[key], value) {
		a.values[key] = append(a.values[key], value)
	}
}

func (a *annotations) publish(w *review.Write) {
	for _, key := range a.keys {
		w.Annotate(key, strings.Join(a.values[key], ", "))
	}
}
