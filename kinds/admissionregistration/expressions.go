package admissionregistration

import (
	celgo "github.com/google/cel-go/cel"
	celtypes "github.com/google/cel-go/common/types"
	admissionv1 "k8s.io/api/admissionregistration/v1"

	"proa/kinds/expression"
)

// What the expressions of policies may evaluate to.

// Condition is a match condition.
func Condition(c admissionv1.MatchCondition) expression.Expression {
	return expression.Expression{Name: c.Name, Text: c.Expression, Returns: []*celgo.Type{celgo.BoolType}}
}

// Variable is a variable of a policy.
func Variable(v admissionv1.Variable) expression.Expression {
	return expression.Expression{Name: v.Name, Text: v.Expression, Returns: []*celgo.Type{celgo.AnyType, celgo.DynType}}
}

// Validation is what must be true.
func Validation(v admissionv1.Validation) expression.Expression {
	return expression.Expression{Text: v.Expression, Returns: []*celgo.Type{celgo.BoolType}}
}

// Message is what a refusal says.
func Message(v admissionv1.Validation) expression.Expression {
	return expression.Expression{Text: v.MessageExpression, Returns: []*celgo.Type{celgo.StringType}}
}

// AuditAnnotation is what the audit records.
func AuditAnnotation(a admissionv1.AuditAnnotation) expression.Expression {
	return expression.Expression{Text: a.ValueExpression, Returns: []*celgo.Type{celgo.StringType, celgo.NullType}}
}

// Configuration is what is merged into the object.
func Configuration(c *admissionv1.ApplyConfiguration) expression.Expression {
	return expression.Expression{Text: c.Expression, Returns: []*celgo.Type{celtypes.NewObjectType("Object")}}
}

// Patch is a list of JSON patch operations.
func Patch(p *admissionv1.JSONPatch) expression.Expression {
	return expression.Expression{Text: p.Expression, Returns: []*celgo.Type{celgo.ListType(celtypes.NewObjectType("JSONPatch"))}}
}
