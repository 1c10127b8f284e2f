package admissionregistration

import (
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/expression"
)

var patchTypes = []admissionv1.PatchType{admissionv1.PatchTypeApplyConfiguration, admissionv1.PatchTypeJSONPatch}

func sharedOfMutating(p *admissionv1.MutatingAdmissionPolicy) *shared {
	if p == nil {
		return nil
	}
	s := &p.Spec
	return &shared{s.FailurePolicy, s.ParamKind, s.MatchConstraints, s.MatchConditions, s.Variables}
}

func validateMutatingPolicy(p, old *admissionv1.MutatingAdmissionPolicy) field.ErrorList {
	path, s := field.NewPath("spec"), sharedOfMutating(p)
	errs := validateShared(s, sharedOfMutating(old), path)
	errs = append(errs, validateMutable(s.match, path.Child("matchConstraints"))...)
	scope, err := expression.NewScope()
	if err != nil {
		return append(errs, field.InternalError(path, err))
	}
	stored := map[string]bool{}
	if old != nil {
		for _, m := range old.Spec.Mutations {
			if m.ApplyConfiguration != nil {
				stored[m.ApplyConfiguration.Expression] = true
			}
			if m.JSONPatch != nil {
				stored[m.JSONPatch.Expression] = true
			}
		}
	}
	errs = append(errs, defineVariables(scope, s, func(text string) bool { return stored[text] }, path.Child("variables"))...)
	if len(p.Spec.Mutations) == 0 {
		errs = append(errs, field.Required(path.Child("mutations"), "mutations must contain at least one item"))
	}
	c := checker{scope: scope, params: s.params != nil, stored: stored}
	for i := range p.Spec.Mutations {
		errs = append(errs, c.mutation(&p.Spec.Mutations[i], path.Child("mutations").Index(i))...)
	}
	if p.Spec.ReinvocationPolicy == "" {
		return append(errs, field.Required(path.Child("reinvocationPolicy"), ""))
	}
	return append(errs, oneOf(path.Child("reinvocationPolicy"), &p.Spec.ReinvocationPolicy, reinvocationPolicies)...)
}

func (c *checker) mutation(m *admissionv1.Mutation, path *field.Path) field.ErrorList {
	patch, configuration := path.Child("jsonPatch"), path.Child("applyConfiguration")
	var errs field.ErrorList
	switch m.PatchType {
	case "":
		return field.ErrorList{field.Required(path.Child("patchType"), "")}
	case admissionv1.PatchTypeJSONPatch:
		if m.JSONPatch == nil {
			errs = append(errs, field.Required(patch, "must be specified when patchType is JSONPatch"))
		} else {
			errs = append(errs, c.change(Patch(m.JSONPatch), patch.Child("expression"))...)
		}
		if m.ApplyConfiguration != nil {
			errs = append(errs, field.Invalid(configuration, "{applyConfiguration}", "must not be specified when patchType is JSONPatch"))
		}
	case admissionv1.PatchTypeApplyConfiguration:
		if m.ApplyConfiguration == nil {
			errs = append(errs, field.Required(configuration, "must be specified when patchType is ApplyConfiguration"))
		} else {
			errs = append(errs, c.change(Configuration(m.ApplyConfiguration), configuration.Child("expression"))...)
		}
		if m.JSONPatch != nil {
			errs = append(errs, field.Invalid(patch, "{jsonPatch}", "must not be specified when patchType is ApplyConfiguration"))
		}
	default:
		return field.ErrorList{field.NotSupported(path.Child("patchType"), m.PatchType, patchTypes)}
	}
	return errs
}

func (c *checker) change(e expression.Expression, path *field.Path) field.ErrorList {
	stored := c.stored[e.Text]
	e.Text = strings.TrimSpace(e.Text)
	if e.Text == "" {
		return field.ErrorList{field.Required(path, "")}
	}
	problem := c.scope.Check(e, expression.Variables{Params: c.params, Authorizer: true, Patch: true}, stored)
	if problem == nil {
		return nil
	}
	return field.ErrorList{problem.At(path, e.Text)}
}
