// Package expression compiles the CEL expressions that admission evaluates: in policies, and in the match conditions of
// webhooks.
//
// It decides what an expression may refer to and evaluate to, as upstream does, and owns the environments that expressions are
// compiled in. They are made when the first expression is compiled, so that a cluster without any pays nothing. The rules of
// package admissionregistration call it to check what users write, and the API server's admission to run it.
package expression

import (
	"fmt"
	"sync"

	celgo "github.com/google/cel-go/cel"
	"k8s.io/apimachinery/pkg/util/validation/field"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	apiservercel "k8s.io/apiserver/pkg/cel"
	"k8s.io/apiserver/pkg/cel/environment"
)

// Expression is a text in CEL and what it may evaluate to.
type Expression struct {
	Name    string // of a variable or a condition; optional
	Text    string
	Returns []*celgo.Type
}

// GetExpression, GetName and ReturnTypes show the expression to the library's compiler.
func (e *Expression) GetExpression() string { return e.Text }

// GetName implements the library's NamedExpressionAccessor.
func (e *Expression) GetName() string { return e.Name }

// ReturnTypes implements the library's ExpressionAccessor.
func (e *Expression) ReturnTypes() []*celgo.Type { return e.Returns }

// Variables says what an expression may refer to besides the object, the old object, the request and the namespace.
type Variables struct{ Params, Authorizer, Patch bool }

// Declared is Variables as the library wants them.
func (v Variables) Declared() plugincel.OptionalVariableDeclarations {
	return plugincel.OptionalVariableDeclarations{HasParams: v.Params, HasAuthorizer: v.Authorizer, HasPatchTypes: v.Patch}
}

// Problem is why an expression cannot be compiled.
type Problem struct{ err *apiservercel.Error }

// NewProblem is for what a library compiled itself.
func NewProblem(err *apiservercel.Error) *Problem { return &Problem{err} }

// At is the problem as the error of a field, whose value is text.
func (p *Problem) At(path *field.Path, text string) *field.Error {
	switch p.err.Type {
	case apiservercel.ErrorTypeRequired:
		return field.Required(path, p.err.Detail)
	case apiservercel.ErrorTypeInvalid:
		return field.Invalid(path, text, p.err.Detail)
	case apiservercel.ErrorTypeInternal:
		return field.InternalError(path, p.err)
	}
	return field.InternalError(path, fmt.Errorf("unsupported error type: %w", p.err))
}

// Environment is what all expressions of admission are compiled in.
func Environment() *environment.EnvSet {
	return environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion())
}

// plain has no variables of its own and is shared.
var plain = sync.OnceValue(func() plugincel.Compiler { return plugincel.NewCompiler(Environment()) })

// Conditions compiles expressions that are evaluated one after the other within one budget.
func Conditions(expressions []*Expression, v Variables) plugincel.ConditionEvaluator {
	results := make([]plugincel.CompilationResult, len(expressions))
	for i, e := range expressions {
		results[i] = plain().CompileCELExpression(e, v.Declared(), environment.StoredExpressions)
	}
	return plugincel.NewCondition(results)
}

// Check says why an expression cannot be compiled, or nil. What is stored already may use what later versions brought.
func Check(e Expression, v Variables, stored bool) *Problem {
	return check(plain(), e, v, stored)
}

func check(compiler plugincel.Compiler, e Expression, v Variables, stored bool) *Problem {
	if result := compiler.CompileCELExpression(&e, v.Declared(), mode(stored)); result.Error != nil {
		return &Problem{result.Error}
	}
	return nil
}

func mode(stored bool) environment.Type {
	if stored {
		return environment.StoredExpressions
	}
	return environment.NewExpressions
}

// Scope is where expressions refer to each other: "variables.NAME" is a variable that was defined before. It is for one
// goroutine.
type Scope struct {
	compiler plugincel.Compiler
	composed *plugincel.CompositedCompiler // nil: there are no variables to refer to
}

// NewScope makes a scope without variables.
func NewScope() (*Scope, error) {
	composed, err := plugincel.NewCompositedCompiler(Environment())
	if err != nil {
		return nil, fmt.Errorf("make scope of variables: %w", err)
	}
	return &Scope{composed, composed}, nil
}

// ScopeFor makes a scope for so many variables. For none it costs nothing, and "variables" means nothing in it.
func ScopeFor(variables int) (*Scope, error) {
	if variables == 0 {
		return &Scope{compiler: plain()}, nil
	}
	return NewScope()
}

// Compiler is what compiles in a scope of NewScope.
func (s *Scope) Compiler() *plugincel.CompositedCompiler { return s.composed }

// Define adds a variable, or says why it cannot be compiled; then its type is unknown to what refers to it.
func (s *Scope) Define(variable Expression, v Variables, stored bool) *Problem {
	if result := s.composed.CompileAndStoreVariable(&variable, v.Declared(), mode(stored)); result.Error != nil {
		return &Problem{result.Error}
	}
	return nil
}

// Check says why an expression cannot be compiled in the scope, or nil.
func (s *Scope) Check(e Expression, v Variables, stored bool) *Problem {
	return check(s.compiler, e, v, stored)
}
