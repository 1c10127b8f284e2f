package admissionregistration

import (
	"strings"

	celgo "github.com/google/cel-go/cel"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/expression"
	"proa/kinds/meta"
)

const mostConditions = 64

// validateConditions checks match conditions. stored says whether an expression is stored already: what an older version let
// in is let in again.
func validateConditions(conditions []admissionv1.MatchCondition, variables expression.Variables, stored func(string) bool, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if len(conditions) > mostConditions {
		errs = append(errs, field.TooMany(path, len(conditions), mostConditions))
	}
	names := map[string]bool{}
	for i, c := range conditions {
		at := path.Index(i)
		if text := strings.TrimSpace(c.Expression); text == "" {
			errs = append(errs, field.Required(at.Child("expression"), ""))
		} else if err := expression.Check(expression.Expression{Text: text, Returns: []*celgo.Type{celgo.BoolType}}, variables, stored(text)); err != nil {
			errs = append(errs, err.At(at.Child("expression"), text))
		}
		if c.Name == "" {
			errs = append(errs, field.Required(at.Child("name"), ""))
			continue
		}
		errs = append(errs, meta.QualifiedName(at.Child("name"), c.Name)...)
		if names[c.Name] {
			errs = append(errs, field.Duplicate(at.Child("name"), c.Name))
		}
		names[c.Name] = true
	}
	return errs
}
