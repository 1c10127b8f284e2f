package devices

import (
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/cel/environment"
	"k8s.io/dynamic-resource-allocation/cel"

	"proa/kinds/expression"
)

// selector says what is wrong with an expression that picks devices. What it may refer to and cost is upstream's; the compiler is
// made when the first is written.
func selector(path *field.Path, text string) field.ErrorList {
	kind := environment.NewExpressions
	compiled := cel.GetCompiler(cel.Features{EnableConsumableCapacity: true}).CompileCELExpression(text, cel.Options{EnvType: &kind})
	switch {
	case compiled.Error != nil:
		return field.ErrorList{expression.NewProblem(compiled.Error).At(path, text)}
	case compiled.MaxCost > resourcev1.CELSelectorExpressionMaxCost:
		return field.ErrorList{field.Forbidden(path, "too complex, exceeds cost limit")}
	}
	return nil
}
