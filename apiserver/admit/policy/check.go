package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	celgo "github.com/google/cel-go/cel"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/util/version"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	apiservercel "k8s.io/apiserver/pkg/cel"
	celcommon "k8s.io/apiserver/pkg/cel/common"
	"k8s.io/apiserver/pkg/cel/environment"
	"k8s.io/apiserver/pkg/cel/library"
	"k8s.io/apiserver/pkg/cel/openapi"
	"k8s.io/apiserver/pkg/cel/openapi/resolver"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"proa/kinds"
	"proa/kinds/admissionregistration"
	"proa/kinds/expression"
)

// mostTypes bounds what one policy is checked against.
const mostTypes = 10

// Checker finds what expressions of policies say wrongly of the kinds that they are about. That refuses nothing: a policy can be
// right about a kind that is not there yet.
type Checker struct {
	Kinds  *kinds.Table                                            // required
	Schema func(gvk schema.GroupVersionKind) (*spec.Schema, error) // required: an error that wraps resolver.ErrSchemaNotFound skips the kind
}

// types are what the variables of an expression are; nil means anything.
type types struct{ object, params *apiservercel.DeclType }

// Check lists what is wrong, nil if nothing is.
func (c *Checker) Check(p *admissionv1.ValidatingAdmissionPolicy) ([]admissionv1.ExpressionWarning, error) {
	about := c.kindsOf(p.Spec.MatchConstraints)
	var params *apiservercel.DeclType
	if kind := p.Spec.ParamKind; kind != nil {
		var err error
		if params, err = c.typeOf(schema.FromAPIVersionAndKind(kind.APIVersion, kind.Kind), "params"); err != nil {
			return nil, err
		}
	}
	found := map[string][]string{}
	var order []string
	for i, gvk := range about {
		object, err := c.typeOf(gvk, fmt.Sprint("object", i))
		if err != nil {
			return nil, err
		}
		if object == nil {
			continue
		}
		if err := checkAgainst(p, types{object, params}, func(path, problem string) {
			if found[path] == nil {
				order = append(order, path)
			}
			found[path] = append(found[path], fmt.Sprintf("%v: %s\n", gvk, problem))
		}); err != nil {
			return nil, err
		}
	}
	var warnings []admissionv1.ExpressionWarning
	for _, path := range order {
		warnings = append(warnings, admissionv1.ExpressionWarning{FieldRef: path, Warning: strings.Join(found[path], "\n")})
	}
	return warnings, nil
}

// checkAgainst compiles the expressions of a policy with types in place of anything.
func checkAgainst(p *admissionv1.ValidatingAdmissionPolicy, t types, report func(path, problem string)) error {
	env, err := typedEnvironment(t, p.Spec.ParamKind != nil)
	if err != nil {
		return err
	}
	scope, err := plugincel.NewCompositedCompilerForTypeChecking(env)
	if err != nil {
		return fmt.Errorf("make scope of variables: %w", err)
	}
	typed := typeCompiler{scope}
	scope.Compiler = typed
	for _, v := range p.Spec.Variables {
		e := admissionregistration.Variable(v)
		scope.CompileAndStoreVariable(&e, plugincel.OptionalVariableDeclarations{}, environment.StoredExpressions)
	}
	at := field.NewPath("spec", "validations")
	for i, v := range p.Spec.Validations {
		for name, e := range map[string]expression.Expression{"expression": admissionregistration.Validation(v), "messageExpression": admissionregistration.Message(v)} {
			if e.Text == "" {
				continue
			}
			if result := typed.CompileCELExpression(&e, plugincel.OptionalVariableDeclarations{}, environment.StoredExpressions); result.Error != nil {
				report(at.Index(i).Child(name).String(), result.Error.Error())
			}
		}
	}
	return nil
}

// typedEnvironment is what expressions are compiled in when the kind of their object is known.
func typedEnvironment(t types, params bool) (*environment.EnvSet, error) {
	request, namespace := plugincel.BuildRequestType(), plugincel.BuildNamespaceType()
	declared := []*apiservercel.DeclType{request, namespace}
	variable := func(name string, t *apiservercel.DeclType) celgo.EnvOption {
		if t == nil {
			return celgo.Variable(name, celgo.DynType)
		}
		return celgo.Variable(name, t.CelType())
	}
	options := []celgo.EnvOption{variable(plugincel.RequestVarName, request), variable(plugincel.NamespaceVarName, namespace),
		variable(plugincel.ObjectVarName, t.object), variable(plugincel.OldObjectVarName, t.object),
		celgo.Variable(plugincel.AuthorizerVarName, library.AuthorizerType), celgo.Variable(plugincel.RequestResourceAuthorizerVarName, library.ResourceCheckType)}
	if params {
		options = append(options, variable(plugincel.ParamsVarName, t.params))
	}
	for _, d := range []*apiservercel.DeclType{t.object, t.params} {
		if d != nil {
			declared = append(declared, d)
		}
	}
	env, err := expression.Environment().Extend(environment.VersionedOptions{IntroducedVersion: version.MajorMinor(1, 0), EnvOptions: options, DeclTypes: declared})
	if err != nil {
		return nil, fmt.Errorf("make environment of types: %w", err)
	}
	return env, nil
}

// typeCompiler finds the type of an expression, and makes no program of it.
type typeCompiler struct{ scope *plugincel.CompositedCompiler }

// CompileCELExpression implements the library's Compiler.
func (c typeCompiler) CompileCELExpression(e plugincel.ExpressionAccessor, _ plugincel.OptionalVariableDeclarations, mode environment.Type) plugincel.CompilationResult {
	env, err := c.scope.Env(mode)
	if err != nil {
		return plugincel.CompilationResult{ExpressionAccessor: e, Error: &apiservercel.Error{Type: apiservercel.ErrorTypeInternal, Detail: err.Error()}}
	}
	ast, issues := env.Compile(e.GetExpression())
	if issues != nil {
		return plugincel.CompilationResult{ExpressionAccessor: e, Error: &apiservercel.Error{Type: apiservercel.ErrorTypeInvalid, Detail: issues.String()}}
	}
	return plugincel.CompilationResult{OutputType: ast.OutputType()}
}

// typeOf is a kind as a type of CEL; nil if nothing is known of it.
func (c *Checker) typeOf(gvk schema.GroupVersionKind, name string) (*apiservercel.DeclType, error) {
	described, err := c.Schema(gvk)
	if errors.Is(err, resolver.ErrSchemaNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	t := celcommon.SchemaDeclType(&openapi.Schema{Schema: described}, true)
	if t == nil {
		return nil, nil
	}
	return t.MaybeAssignTypeName(gvk.Kind + "_" + name), nil
}

// kindsOf lists the kinds that rules without wildcards name, in order.
func (c *Checker) kindsOf(m *admissionv1.MatchResources) []schema.GroupVersionKind {
	if m == nil {
		return nil
	}
	var all []schema.GroupVersionKind
	for _, rule := range m.ResourceRules {
		if slices.Contains(rule.APIGroups, "*") || slices.Contains(rule.APIVersions, "*") {
			continue
		}
		for _, group := range rule.APIGroups {
			for _, v := range rule.APIVersions {
				for _, name := range rule.Resources {
					gvr := schema.GroupVersionResource{Group: group, Version: v, Resource: name}
					row := c.Kinds.ByResource(gvr)
					if row == nil || strings.ContainsAny(name, "*/") {
						continue
					}
					if gvk := gvr.GroupVersion().WithKind(row.Kind); !slices.Contains(all, gvk) {
						all = append(all, gvk)
					}
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b schema.GroupVersionKind) int { return strings.Compare(a.String(), b.String()) })
	return all[:min(len(all), mostTypes)]
}
