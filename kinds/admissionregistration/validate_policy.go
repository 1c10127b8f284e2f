package admissionregistration

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/util/jsonpath"

	"proa/kinds/expression"
)

// shared is what both kinds of policies have.
type shared struct {
	failure    *admissionv1.FailurePolicyType
	params     *admissionv1.ParamKind
	match      *admissionv1.MatchResources
	conditions []admissionv1.MatchCondition
	variables  []admissionv1.Variable
}

func (s *shared) declared() expression.Variables {
	return expression.Variables{Params: s.params != nil, Authorizer: true}
}

// validateShared checks all but the variables.
func validateShared(s, old *shared, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if s.failure == nil {
		errs = append(errs, field.Required(path.Child("failurePolicy"), ""))
	}
	errs = append(errs, oneOf(path.Child("failurePolicy"), s.failure, failurePolicies)...)
	if s.params != nil {
		errs = append(errs, validateParamKind(s.params, path.Child("paramKind"))...)
	}
	if s.match == nil {
		errs = append(errs, field.Required(path.Child("matchConstraints"), ""))
	} else {
		errs = append(errs, validateMatch(s.match, path.Child("matchConstraints"))...)
		if len(s.match.ResourceRules) == 0 {
			errs = append(errs, field.Required(path.Child("matchConstraints", "resourceRules"), ""))
		}
	}
	if old != nil && equality.Semantic.DeepEqual(s.params, old.params) && equality.Semantic.DeepEqual(s.conditions, old.conditions) {
		return errs
	}
	stored := func(text string) bool {
		return old != nil && slices.ContainsFunc(old.conditions, func(c admissionv1.MatchCondition) bool { return c.Expression == text })
	}
	return append(errs, validateConditions(s.conditions, s.declared(), stored, path.Child("matchConditions"))...)
}

func validateParamKind(kind *admissionv1.ParamKind, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	at := path.Child("apiVersion")
	if kind.APIVersion == "" {
		errs = append(errs, field.Required(at, ""))
	} else if gv, err := schema.ParseGroupVersion(kind.APIVersion); err != nil {
		errs = append(errs, field.Invalid(at, kind.APIVersion, err.Error()))
	} else {
		if problems := utilvalidation.IsDNS1123Subdomain(gv.Group); gv.Group != "" && len(problems) > 0 {
			errs = append(errs, field.Invalid(at, gv.Group, strings.Join(problems, ",")))
		}
		if gv.Version == "" {
			errs = append(errs, field.Invalid(at, kind.APIVersion, "version must be specified"))
		} else if problems := utilvalidation.IsDNS1035Label(gv.Version); len(problems) > 0 {
			errs = append(errs, field.Invalid(at, gv.Version, strings.Join(problems, ",")))
		}
	}
	if kind.Kind == "" {
		return append(errs, field.Required(path.Child("kind"), ""))
	}
	if problems := utilvalidation.IsDNS1035Label(strings.ToLower(kind.Kind)); len(problems) > 0 {
		errs = append(errs, field.Invalid(path.Child("kind"), kind.Kind, "may have mixed case, but should otherwise match: "+strings.Join(problems, ",")))
	}
	return errs
}

var identifier = regexp.MustCompile("^[_a-zA-Z][_a-zA-Z0-9]*$")

// reserved words of CEL are no identifiers.
var reserved = []string{"true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let",
	"loop", "package", "namespace", "return", "var", "void", "while"}

// defineVariables checks variables, each of which may refer to those before, and puts them into the scope.
func defineVariables(scope *expression.Scope, s *shared, stored func(string) bool, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, v := range s.variables {
		at := path.Index(i)
		if strings.TrimSpace(v.Name) == "" {
			errs = append(errs, field.Required(at.Child("name"), "name is not specified"))
		} else if !identifier.MatchString(v.Name) || slices.Contains(reserved, v.Name) {
			errs = append(errs, field.Invalid(at.Child("name"), v.Name, "must be a valid CEL identifier"))
		}
		if strings.TrimSpace(v.Expression) == "" {
			errs = append(errs, field.Required(at.Child("expression"), "expression is not specified"))
		} else if problem := scope.Define(Variable(v), s.declared(), stored(v.Expression)); problem != nil {
			errs = append(errs, problem.At(at.Child("expression"), v.Expression))
		}
	}
	return errs
}

func validatePolicyStatus(status *admissionv1.ValidatingAdmissionPolicyStatus) field.ErrorList {
	var errs field.ErrorList
	path := field.NewPath("status")
	if status.TypeChecking != nil {
		for i, w := range status.TypeChecking.ExpressionWarnings {
			at := path.Child("typeChecking", "expressionWarnings").Index(i)
			if w.Warning == "" {
				errs = append(errs, field.Required(at.Child("warning"), ""))
			}
			errs = append(errs, validateFieldRef(strings.TrimSpace(w.FieldRef), at.Child("fieldRef"))...)
		}
	}
	return append(errs, metav1validation.ValidateConditions(status.Conditions, path.Child("conditions"))...)
}

func validateFieldRef(ref string, path *field.Path) field.ErrorList {
	if ref == "" {
		return field.ErrorList{field.Required(path, "")}
	}
	if err := jsonpath.New("spec").Parse(fmt.Sprintf("{%s}", ref)); err != nil {
		return field.ErrorList{field.Invalid(path, ref, fmt.Sprintf("invalid JSONPath: %v", err))}
	}
	return nil
}

var refusals = []metav1.StatusReason{metav1.StatusReasonForbidden, metav1.StatusReasonInvalid, metav1.StatusReasonRequestEntityTooLarge}
