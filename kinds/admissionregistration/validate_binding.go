package admissionregistration

import (
	"fmt"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

var (
	actions      = []admissionv1.ValidationAction{admissionv1.Audit, admissionv1.Deny, admissionv1.Warn}
	notFound     = []string{string(admissionv1.DenyAction), string(admissionv1.AllowAction)}
	mutableBy    = []admissionv1.OperationType{admissionv1.OperationAll, admissionv1.Connect, admissionv1.Create, admissionv1.Update}
	strictLabels = metav1validation.LabelSelectorValidationOptions{}
)

func validateValidatingBinding(b *admissionv1.ValidatingAdmissionPolicyBinding) field.ErrorList {
	path := field.NewPath("spec")
	errs := validateBound(b.Spec.PolicyName, b.Spec.ParamRef, b.Spec.MatchResources, path)
	return append(errs, validateActions(b.Spec.ValidationActions, path.Child("validationActions"))...)
}

func validateMutatingBinding(b *admissionv1.MutatingAdmissionPolicyBinding) field.ErrorList {
	path := field.NewPath("spec")
	errs := validateBound(b.Spec.PolicyName, b.Spec.ParamRef, b.Spec.MatchResources, path)
	return append(errs, validateMutable(b.Spec.MatchResources, path.Child("matchResources"))...)
}

func validateBound(policy string, params *admissionv1.ParamRef, match *admissionv1.MatchResources, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if policy == "" {
		errs = append(errs, field.Required(path.Child("policyName"), ""))
	} else {
		for _, message := range validation.NameIsDNSSubdomain(policy, false) {
			errs = append(errs, field.Invalid(path.Child("policyName"), policy, message))
		}
	}
	errs = append(errs, validateParamRef(params, path.Child("paramRef"))...)
	return append(errs, validateMatch(match, path.Child("matchResources"))...)
}

func validateActions(list []admissionv1.ValidationAction, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, action := range list {
		if !slices.Contains(actions, action) {
			errs = append(errs, field.NotSupported(path.Index(i), action, actions))
		}
		if slices.Contains(list[:i], action) {
			errs = append(errs, field.Duplicate(path.Index(i), action))
		}
	}
	if slices.Contains(list, admissionv1.Deny) && slices.Contains(list, admissionv1.Warn) {
		errs = append(errs, field.Invalid(path, list, "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)"))
	}
	if len(list) == 0 {
		errs = append(errs, field.Required(path, "at least one validation action is required"))
	}
	return errs
}

func validateParamRef(ref *admissionv1.ParamRef, path *field.Path) field.ErrorList {
	if ref == nil {
		return nil
	}
	const exclusive = "name and selector are mutually exclusive"
	var errs field.ErrorList
	if ref.Name != "" {
		for _, message := range content.IsPathSegmentName(ref.Name) {
			errs = append(errs, field.Invalid(path.Child("name"), ref.Name, message))
		}
		if ref.Selector != nil {
			errs = append(errs, field.Forbidden(path.Child("name"), exclusive))
		}
	}
	if ref.Selector != nil {
		errs = append(errs, metav1validation.ValidateLabelSelector(ref.Selector, strictLabels, path.Child("selector"))...)
		if ref.Name != "" {
			errs = append(errs, field.Forbidden(path.Child("selector"), exclusive))
		}
	}
	if ref.Name == "" && ref.Selector == nil {
		errs = append(errs, field.Required(path, "one of name or selector must be specified"))
	}
	at := path.Child("parameterNotFoundAction")
	if action := ref.ParameterNotFoundAction; action == nil || *action == "" {
		errs = append(errs, field.Required(at, ""))
	} else if !slices.Contains(notFound, string(*action)) {
		errs = append(errs, field.NotSupported(at, action, notFound))
	}
	return errs
}

func validateMatch(m *admissionv1.MatchResources, path *field.Path) field.ErrorList {
	if m == nil {
		return nil
	}
	var errs field.ErrorList
	if m.MatchPolicy == nil {
		errs = append(errs, field.Required(path.Child("matchPolicy"), ""))
	}
	errs = append(errs, oneOf(path.Child("matchPolicy"), m.MatchPolicy, matchPolicies)...)
	if m.NamespaceSelector == nil {
		errs = append(errs, field.Required(path.Child("namespaceSelector"), ""))
	}
	errs = append(errs, metav1validation.ValidateLabelSelector(m.NamespaceSelector, strictLabels, path.Child("namespaceSelector"))...)
	if m.ObjectSelector == nil {
		errs = append(errs, field.Required(path.Child("objectSelector"), ""))
	}
	errs = append(errs, metav1validation.ValidateLabelSelector(m.ObjectSelector, strictLabels, path.Child("objectSelector"))...)
	errs = append(errs, validateNamedRules(m.ResourceRules, path.Child("resourceRules"))...)
	return append(errs, validateNamedRules(m.ExcludeResourceRules, path.Child("excludeResourceRules"))...)
}

func validateNamedRules(rules []admissionv1.NamedRuleWithOperations, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i := range rules {
		at := path.Index(i)
		for j, name := range rules[i].ResourceNames {
			for _, message := range content.IsPathSegmentName(name) {
				errs = append(errs, field.Invalid(at.Child("resourceNames").Index(j), name, message))
			}
			if slices.Contains(rules[i].ResourceNames[:j], name) {
				errs = append(errs, field.Duplicate(at.Child("resourceNames").Index(j), name))
			}
		}
		errs = append(errs, validateRule(&rules[i].RuleWithOperations, at)...)
	}
	return errs
}

// validateMutable wants operations that leave an object which can be changed.
func validateMutable(m *admissionv1.MatchResources, path *field.Path) field.ErrorList {
	if m == nil {
		return nil
	}
	var errs field.ErrorList
	for i := range m.ResourceRules {
		for _, operation := range m.ResourceRules[i].Operations {
			if !slices.Contains(mutableBy, operation) {
				errs = append(errs, field.NotSupported(path.Child("resourceRules", "operations"), operation, mutableBy))
			}
		}
	}
	return errs
}

// auditKey is the name under which the audit records what an annotation of a policy says.
func auditKey(policy, key string) string { return fmt.Sprintf("%s/%s", policy, key) }
