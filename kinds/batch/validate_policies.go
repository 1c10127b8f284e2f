package batch

import (
	"fmt"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	"proa/kinds/meta"
)

const (
	mostRules      = 20 // of a failure or success policy, and patterns of one rule
	mostExitCodes  = 255
	oneConditionOf = "specifying one of OnExitCodes and OnPodConditions is required"
)

var (
	actions = []batchv1.PodFailurePolicyAction{
		batchv1.PodFailurePolicyActionCount, batchv1.PodFailurePolicyActionFailIndex, batchv1.PodFailurePolicyActionFailJob, batchv1.PodFailurePolicyActionIgnore,
	}
	operators = []batchv1.PodFailurePolicyOnExitCodesOperator{batchv1.PodFailurePolicyOnExitCodesOpIn, batchv1.PodFailurePolicyOnExitCodesOpNotIn}
	statuses  = []corev1.ConditionStatus{corev1.ConditionFalse, corev1.ConditionTrue, corev1.ConditionUnknown}
)

func validateFailurePolicy(spec *batchv1.JobSpec, path *field.Path) field.ErrorList {
	if spec.PodFailurePolicy == nil {
		return nil
	}
	var errs field.ErrorList
	rules, path := spec.PodFailurePolicy.Rules, path.Child("rules")
	if len(rules) > mostRules {
		errs = append(errs, field.TooMany(path, len(rules), mostRules))
	}
	for i := range rules {
		errs = append(errs, validateFailureRule(spec, &rules[i], path.Index(i))...)
	}
	return errs
}

func validateFailureRule(spec *batchv1.JobSpec, rule *batchv1.PodFailurePolicyRule, path *field.Path) field.ErrorList {
	errs := oneOf(path.Child("action"), rule.Action, actions)
	if rule.Action == batchv1.PodFailurePolicyActionFailIndex && spec.BackoffLimitPerIndex == nil {
		errs = append(errs, field.Invalid(path.Child("action"), rule.Action, "requires the backoffLimitPerIndex to be set"))
	}
	if rule.OnExitCodes != nil {
		errs = append(errs, validateExitCodes(spec, rule.OnExitCodes, path.Child("onExitCodes"))...)
	}
	at := path.Child("onPodConditions")
	if n := len(rule.OnPodConditions); n > mostRules {
		errs = append(errs, field.TooMany(at, n, mostRules))
	}
	for i, pattern := range rule.OnPodConditions {
		for _, message := range utilvalidation.IsQualifiedName(string(pattern.Type)) {
			errs = append(errs, field.Invalid(at.Index(i).Child("type"), string(pattern.Type), message))
		}
		errs = append(errs, oneOf(at.Index(i).Child("status"), pattern.Status, statuses)...)
	}
	switch codes, conditions := rule.OnExitCodes != nil, len(rule.OnPodConditions) > 0; {
	case codes && conditions:
		errs = append(errs, field.Invalid(path, field.OmitValueType{}, "specifying both OnExitCodes and OnPodConditions is not supported"))
	case !codes && !conditions:
		errs = append(errs, field.Invalid(path, field.OmitValueType{}, oneConditionOf))
	}
	return errs
}

// oneOf wants one of some words, which are in order.
func oneOf[T ~string](path *field.Path, value T, words []T) field.ErrorList {
	switch {
	case value == "":
		return field.ErrorList{field.Required(path, fmt.Sprintf("valid values: %q", words))}
	case !slices.Contains(words, value):
		return field.ErrorList{field.NotSupported(path, value, words)}
	}
	return nil
}

func validateExitCodes(spec *batchv1.JobSpec, codes *batchv1.PodFailurePolicyOnExitCodesRequirement, path *field.Path) field.ErrorList {
	errs := oneOf(path.Child("operator"), codes.Operator, operators)
	if name := codes.ContainerName; name != nil && !hasContainer(&spec.Template.Spec, *name) {
		errs = append(errs, field.Invalid(path.Child("containerName"), *name, "must be one of the container or initContainer names in the pod template"))
	}
	at := path.Child("values")
	if len(codes.Values) == 0 {
		errs = append(errs, field.Invalid(at, codes.Values, "at least one value is required"))
	} else if len(codes.Values) > mostExitCodes {
		errs = append(errs, field.TooMany(at, len(codes.Values), mostExitCodes))
	}
	for i, code := range codes.Values {
		if code == 0 && codes.Operator == batchv1.PodFailurePolicyOnExitCodesOpIn {
			errs = append(errs, field.Invalid(at.Index(i), code, "must not be 0 for the In operator"))
		}
		if slices.Contains(codes.Values[:i], code) {
			errs = append(errs, field.Duplicate(at.Index(i), code))
		}
	}
	if !slices.IsSorted(codes.Values) {
		errs = append(errs, field.Invalid(at, codes.Values, "must be ordered"))
	}
	return errs
}

func hasContainer(spec *corev1.PodSpec, name string) bool {
	is := func(c corev1.Container) bool { return c.Name == name }
	return slices.ContainsFunc(spec.Containers, is) || slices.ContainsFunc(spec.InitContainers, is)
}

func validateSuccessPolicy(spec *batchv1.JobSpec, path *field.Path) field.ErrorList {
	switch {
	case spec.SuccessPolicy == nil:
		return nil
	case !Indexed(spec):
		return field.ErrorList{field.Invalid(path, *spec.SuccessPolicy, "requires indexed completion mode")}
	}
	var errs field.ErrorList
	rules, path := spec.SuccessPolicy.Rules, path.Child("rules")
	switch {
	case len(rules) == 0:
		errs = append(errs, field.Required(path, "at least one rules must be specified when the successPolicy is specified"))
	case len(rules) > mostRules:
		errs = append(errs, field.TooMany(path, len(rules), mostRules))
	}
	for i := range rules {
		errs = append(errs, validateSuccessRule(int(ptr.Deref(spec.Completions, 0)), &rules[i], path.Index(i))...)
	}
	return errs
}

func validateSuccessRule(completions int, rule *batchv1.SuccessPolicyRule, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if rule.SucceededCount == nil && rule.SucceededIndexes == nil {
		errs = append(errs, field.Required(path, "at least one of succeededCount or succeededIndexes must be specified"))
	}
	named := 0
	if text := rule.SucceededIndexes; text != nil {
		at := path.Child("succeededIndexes")
		if len(*text) > mostIndexBytes {
			errs = append(errs, field.TooLong(at, "", mostIndexBytes))
		}
		all, err := ParseIndexes(*text, completions)
		if err != nil {
			errs = append(errs, field.Invalid(at, *text, "error parsing succeededIndexes: "+err.Error()))
		}
		named = CountIndexes(all)
	}
	if rule.SucceededCount == nil {
		return errs
	}
	at, count := path.Child("succeededCount"), *rule.SucceededCount
	errs = append(errs, meta.NotNegative(at, count)...)
	if int(count) > completions {
		errs = append(errs, field.Invalid(at, count, fmt.Sprintf("must be less than or equal to %d (the number of specified completions)", completions)))
	}
	if rule.SucceededIndexes != nil && int(count) > named {
		errs = append(errs, field.Invalid(at, count, fmt.Sprintf("must be less than or equal to %d (the number of indexes in the specified succeededIndexes field)", named)))
	}
	return errs
}
