package admissionregistration

import (
	"fmt"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/expression"
	"proa/kinds/meta"
)

const (
	mostAnnotations    = 20
	longestAuditSource = 5 << 10 // of an expression; what it evaluates to may be longer
)

func sharedOfValidating(p *admissionv1.ValidatingAdmissionPolicy) *shared {
	if p == nil {
		return nil
	}
	s := &p.Spec
	return &shared{s.FailurePolicy, s.ParamKind, s.MatchConstraints, s.MatchConditions, s.Variables}
}

// storedTexts are the expressions that are stored already.
func storedTexts(old *admissionv1.ValidatingAdmissionPolicy) map[string]bool {
	texts := map[string]bool{}
	if old == nil {
		return texts
	}
	for _, v := range old.Spec.Validations {
		texts[v.Expression], texts[v.MessageExpression] = true, true
	}
	for _, a := range old.Spec.AuditAnnotations {
		texts[a.ValueExpression] = true
	}
	for _, v := range old.Spec.Variables {
		texts[v.Expression] = true
	}
	return texts
}

func validateValidatingPolicy(p, old *admissionv1.ValidatingAdmissionPolicy) field.ErrorList {
	path, s, stored := field.NewPath("spec"), sharedOfValidating(p), storedTexts(old)
	errs := validateShared(s, sharedOfValidating(old), path)
	scope, err := expression.ScopeFor(len(s.variables))
	if err != nil {
		return append(errs, field.InternalError(path, err))
	}
	errs = append(errs, defineVariables(scope, s, func(text string) bool { return stored[text] }, path.Child("variables"))...)
	if len(p.Spec.Validations) == 0 && len(p.Spec.AuditAnnotations) == 0 {
		const some = "validations or auditAnnotations must contain at least one item"
		return append(errs, field.Required(path.Child("validations"), some), field.Required(path.Child("auditAnnotations"), some))
	}
	c := checker{scope: scope, params: s.params != nil, stored: stored}
	for i := range p.Spec.Validations {
		errs = append(errs, c.validation(&p.Spec.Validations[i], path.Child("validations").Index(i))...)
	}
	return append(errs, c.annotations(p, path.Child("auditAnnotations"))...)
}

// checker compiles the expressions of a policy.
type checker struct {
	scope  *expression.Scope
	params bool
	stored map[string]bool
}

func (c *checker) check(e expression.Expression, authorizer bool, path *field.Path) field.ErrorList {
	problem := c.scope.Check(e, expression.Variables{Params: c.params, Authorizer: authorizer}, c.stored[e.Text])
	if problem == nil {
		return nil
	}
	return field.ErrorList{problem.At(path, e.Text)}
}

func (c *checker) validation(v *admissionv1.Validation, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if strings.TrimSpace(v.Expression) == "" {
		errs = append(errs, field.Required(path.Child("expression"), "expression is not specified"))
	} else {
		errs = append(errs, c.check(Validation(*v), true, path.Child("expression"))...)
	}
	switch text := v.MessageExpression; {
	case text == "":
	case strings.TrimSpace(text) == "":
		errs = append(errs, field.Invalid(path.Child("messageExpression"), text, "must be non-empty if specified"))
	default:
		errs = append(errs, c.check(Message(*v), false, path.Child("messageExpression"))...)
	}
	switch text := strings.TrimSpace(v.Message); {
	case v.Message != "" && text == "":
		errs = append(errs, field.Invalid(path.Child("message"), v.Message, "must be non-empty if specified"))
	case strings.ContainsAny(text, "\n\r"):
		errs = append(errs, field.Invalid(path.Child("message"), v.Message, "must not contain line breaks"))
	}
	return append(errs, oneOf(path.Child("reason"), v.Reason, refusals)...)
}

func (c *checker) annotations(p *admissionv1.ValidatingAdmissionPolicy, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	list := p.Spec.AuditAnnotations
	if len(list) > mostAnnotations {
		errs = append(errs, field.Invalid(path, list, fmt.Sprintf("must not have more than %d auditAnnotations", mostAnnotations)))
	}
	keys := map[string]bool{}
	for i, a := range list {
		at := path.Index(i)
		if p.Name == "" {
			errs = append(errs, field.Invalid(at.Child("key"), a.Key, "requires metadata.name be non-empty"))
		} else {
			errs = append(errs, meta.QualifiedName(at.Child("key"), auditKey(p.Name, a.Key))...)
		}
		switch text := strings.TrimSpace(a.ValueExpression); {
		case text == "":
			errs = append(errs, field.Required(at.Child("valueExpression"), "valueExpression is not specified"))
		case len(text) > longestAuditSource:
			errs = append(errs, field.Required(at.Child("valueExpression"), fmt.Sprintf("must not exceed %d bytes in length", longestAuditSource)))
		default:
			errs = append(errs, c.check(AuditAnnotation(a), true, at.Child("valueExpression"))...)
		}
		if keys[a.Key] {
			errs = append(errs, field.Duplicate(at.Child("key"), a.Key))
		}
		keys[a.Key] = true
	}
	return errs
}
