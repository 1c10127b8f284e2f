package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/apiserver/admit"
	"proa/apiserver/admit/review"
)

// denial is a policy that refuses the write.
type denial struct {
	policy  *policy
	binding *binding
	message string
	reason  metav1.StatusReason
}

// validate evaluates all policies that the write concerns. The first that denies it words the refusal.
func (p *Policies) validate(ctx context.Context, w *review.Write, policies []*policy) error {
	all, wrong := p.invocations(w, policies)
	if len(all) == 0 && len(wrong) == 0 {
		return nil
	}
	namespace, err := namespaceOf(w)
	if err != nil {
		return err
	}
	var denials []denial
	for _, m := range wrong {
		if !m.policy.ignores {
			denials = append(denials, denial{policy: m.policy, binding: m.binding, message: m.err.Error()})
		}
	}
	records := &annotations{}
	for _, i := range all {
		result := p.evaluate(ctx, w, i, namespace)
		for index, d := range result.decisions {
			if d.denies {
				denials = append(denials, act(w, i, index, d)...)
			}
		}
		for _, a := range result.annotations {
			if a.failed != "" {
				denials = append(denials, denial{policy: i.policy, binding: i.binding, message: a.failed})
			} else {
				records.add(i.policy.name+"/"+a.key, a.value)
			}
		}
	}
	records.publish(w)
	if len(denials) == 0 {
		return nil
	}
	return refuse(w, denials[0])
}

// act does what the binding says of a decision that denies.
func act(w *review.Write, i invocation, index int, d decision) []denial {
	var denials []denial
	for _, action := range i.binding.actions {
		switch action {
		case admissionv1.Deny:
			denials = append(denials, denial{i.policy, i.binding, d.message, d.reason})
		case admissionv1.Warn:
			w.Warn(fmt.Sprintf("Validation failed for ValidatingAdmissionPolicy '%s' with binding '%s': %s", i.policy.name, i.binding.name, d.message))
		case admissionv1.Audit:
			text, err := json.Marshal([]failure{{d.message, i.policy.name, i.binding.name, index, i.binding.actions}})
			if err != nil {
				text = []byte(err.Error()) // texts and a number: they can be encoded
			}
			w.Annotate("validation.policy.admission.k8s.io/validation_failure", string(text))
		}
	}
	return denials
}

// failure is how the audit records a decision.
type failure struct {
	Message           string                         `json:"message"`
	Policy            string                         `json:"policy"`
	Binding           string                         `json:"binding"`
	ExpressionIndex   int                            `json:"expressionIndex"`
	ValidationActions []admissionv1.ValidationAction `json:"validationActions"`
}

func refuse(w *review.Write, d denial) error {
	text := fmt.Sprintf("ValidatingAdmissionPolicy '%s' denied request: %s", d.policy.name, d.message)
	if d.binding != nil {
		text = fmt.Sprintf("ValidatingAdmissionPolicy '%s' with binding '%s' denied request: %s", d.policy.name, d.binding.name, d.message)
	}
	err := admit.Forbidden(w.Attributes, errors.New(text))
	reason := d.reason
	if reason == "" {
		reason = metav1.StatusReasonInvalid
	}
	err.ErrStatus.Reason, err.ErrStatus.Code = reason, codeOf(reason)
	err.ErrStatus.Details.Causes = append(err.ErrStatus.Details.Causes, metav1.StatusCause{Message: text})
	return err
}

func codeOf(reason metav1.StatusReason) int32 {
	switch reason {
	case metav1.StatusReasonForbidden:
		return http.StatusForbidden
	case metav1.StatusReasonUnauthorized:
		return http.StatusUnauthorized
	case metav1.StatusReasonRequestEntityTooLarge:
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusUnprocessableEntity
}
