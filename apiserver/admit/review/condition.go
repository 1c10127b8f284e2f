package review

import (
	"context"

	celtypes "github.com/google/cel-go/common/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	celconfig "k8s.io/apiserver/pkg/apis/cel"

	"proa/apiserver/auth"
)

// Evaluation is what match conditions are evaluated with.
type Evaluation struct {
	Form       Form
	Authorizer auth.Authorizer
	Params     runtime.Object // nil where there are none
	Ignore     bool           // a condition that cannot be evaluated is not met; otherwise it is an error
}

// Meets says whether a write meets all conditions. One that is false settles it, whatever befalls the others.
func Meets(ctx context.Context, conditions plugincel.ConditionEvaluator, w *Write, e Evaluation) (bool, error) {
	seen, err := w.Versioned(e.Form)
	if err != nil {
		return false, err
	}
	request := plugincel.CreateAdmissionRequest(seen.Attributes, metav1.GroupVersionResource(e.Form.Resource), metav1.GroupVersionKind(e.Form.Kind))
	bindings := plugincel.OptionalVariableBindings{VersionedParams: e.Params, Authorizer: Authorizer{e.Authorizer}}
	results, _, err := conditions.ForInput(ctx, seen, request, bindings, nil, celconfig.RuntimeCELCostBudgetMatchConditions)
	var failed []error
	if err != nil {
		failed = append(failed, err)
	}
	for _, r := range results {
		if r.Error != nil {
			failed = append(failed, r.Error)
		} else if r.EvalResult == celtypes.False {
			return false, nil
		}
	}
	switch {
	case len(failed) == 0:
		return true, nil
	case e.Ignore:
		return false, nil
	case err != nil:
		return false, err
	}
	return false, utilerrors.NewAggregate(failed)
}
