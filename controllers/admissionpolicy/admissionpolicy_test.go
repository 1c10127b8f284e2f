package admissionpolicy_test

import (
	"errors"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"

	"proa/controllers/admissionpolicy"
	"proa/kinds"
	"proa/reconcile"
	"proa/reconcile/reconciletest"
)

// check finds the word "wrong" wrong, and cannot read "unreadable".
func check(p *admissionv1.ValidatingAdmissionPolicy) ([]admissionv1.ExpressionWarning, error) {
	for _, v := range p.Spec.Validations {
		switch {
		case strings.Contains(v.Expression, "wrong"):
			return []admissionv1.ExpressionWarning{{FieldRef: "spec.validations[0].expression", Warning: "it is"}}, nil
		case strings.Contains(v.Expression, "unreadable"):
			return nil, errors.New("cannot read it")
		}
	}
	return nil, nil
}

func TestScripts(t *testing.T) {
	reconciletest.Run(t, "testdata", kinds.Builtin(), func() []reconcile.Controller {
		return []reconcile.Controller{admissionpolicy.New(check)}
	})
}
