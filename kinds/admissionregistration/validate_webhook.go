package admissionregistration

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/expression"
)

// ReviewVersions are the versions of AdmissionReview that webhooks are called with.
var ReviewVersions = []string{"v1", "v1beta1"}

var (
	failurePolicies      = []admissionv1.FailurePolicyType{admissionv1.Fail, admissionv1.Ignore}
	matchPolicies        = []admissionv1.MatchPolicyType{admissionv1.Equivalent, admissionv1.Exact}
	reinvocationPolicies = []admissionv1.ReinvocationPolicyType{admissionv1.IfNeededReinvocationPolicy, admissionv1.NeverReinvocationPolicy}
	noSideEffects        = []admissionv1.SideEffectClass{admissionv1.SideEffectClassNone, admissionv1.SideEffectClassNoneOnDryRun}
	anySideEffects       = []admissionv1.SideEffectClass{admissionv1.SideEffectClassNone, admissionv1.SideEffectClassNoneOnDryRun,
		admissionv1.SideEffectClassSome, admissionv1.SideEffectClassUnknown}
)

// webhookRules is what is asked of webhooks. An update of what was let in under older rules is let in again.
type webhookRules struct {
	noSideEffects, knownReview, uniqueNames bool
	invalidLabels                           bool
	sameConditions                          bool
	conditions                              map[string]bool // expressions that are stored already
}

func newRules() webhookRules {
	return webhookRules{noSideEffects: true, knownReview: true, uniqueNames: true}
}

func rulesAfter(now, before []admissionv1.MutatingWebhook) webhookRules {
	r := newRules()
	r.conditions = map[string]bool{}
	r.sameConditions = len(now) == len(before)
	names := map[string]bool{}
	for i := range before {
		w := &before[i]
		r.noSideEffects = r.noSideEffects && w.SideEffects != nil && slices.Contains(noSideEffects, *w.SideEffects)
		r.knownReview = r.knownReview && (len(w.AdmissionReviewVersions) == 0 || knowsReview(w.AdmissionReviewVersions))
		r.uniqueNames = r.uniqueNames && !names[w.Name]
		names[w.Name] = true
		r.invalidLabels = r.invalidLabels || len(validateSelectors(w, false, nil)) > 0
		r.sameConditions = r.sameConditions && reflect.DeepEqual(now[i].MatchConditions, w.MatchConditions)
		for _, c := range w.MatchConditions {
			r.conditions[c.Expression] = true
		}
	}
	return r
}

func knowsReview(versions []string) bool {
	return slices.ContainsFunc(versions, func(v string) bool { return slices.Contains(ReviewVersions, v) })
}

func validateWebhooks(webhooks []admissionv1.MutatingWebhook, r webhookRules) field.ErrorList {
	var errs field.ErrorList
	names := map[string]bool{}
	for i := range webhooks {
		w, path := &webhooks[i], field.NewPath("webhooks").Index(i)
		errs = append(errs, validateWebhook(w, r, path)...)
		errs = append(errs, validateReviewVersions(w.AdmissionReviewVersions, r.knownReview, path.Child("admissionReviewVersions"))...)
		if r.uniqueNames && w.Name != "" {
			if names[w.Name] {
				errs = append(errs, field.Duplicate(path.Child("name"), w.Name))
			}
			names[w.Name] = true
		}
	}
	return errs
}

// oneOf wants a value that is there to be one of those allowed.
func oneOf[T ~string](path *field.Path, value *T, allowed []T) field.ErrorList {
	if value == nil || slices.Contains(allowed, *value) {
		return nil
	}
	return field.ErrorList{field.NotSupported(path, *value, allowed)}
}

func validateWebhook(w *admissionv1.MutatingWebhook, r webhookRules, path *field.Path) field.ErrorList {
	errs := utilvalidation.IsFullyQualifiedName(path.Child("name"), w.Name)
	for i := range w.Rules {
		errs = append(errs, validateRule(&w.Rules[i], path.Child("rules").Index(i))...)
	}
	errs = append(errs, oneOf(path.Child("failurePolicy"), w.FailurePolicy, failurePolicies)...)
	errs = append(errs, oneOf(path.Child("matchPolicy"), w.MatchPolicy, matchPolicies)...)
	effects := anySideEffects
	if r.noSideEffects {
		effects = noSideEffects
	}
	if w.SideEffects == nil {
		errs = append(errs, field.Required(path.Child("sideEffects"), "must specify one of "+joined(effects)))
	}
	errs = append(errs, oneOf(path.Child("sideEffects"), w.SideEffects, effects)...)
	if w.TimeoutSeconds != nil && (*w.TimeoutSeconds > 30 || *w.TimeoutSeconds < 1) {
		errs = append(errs, field.Invalid(path.Child("timeoutSeconds"), *w.TimeoutSeconds, "the timeout value must be between 1 and 30 seconds"))
	}
	errs = append(errs, validateSelectors(w, r.invalidLabels, path)...)
	errs = append(errs, oneOf(path.Child("reinvocationPolicy"), w.ReinvocationPolicy, reinvocationPolicies)...)
	errs = append(errs, validateClient(&w.ClientConfig, path.Child("clientConfig"))...)
	if !r.sameConditions {
		stored := func(text string) bool { return r.conditions[text] }
		errs = append(errs, validateConditions(w.MatchConditions, expression.Variables{Authorizer: true}, stored, path.Child("matchConditions"))...)
	}
	return errs
}

func joined[T ~string](values []T) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = string(v)
	}
	return strings.Join(texts, ", ")
}

func validateSelectors(w *admissionv1.MutatingWebhook, invalidLabels bool, path *field.Path) field.ErrorList {
	options := metav1validation.LabelSelectorValidationOptions{AllowInvalidLabelValueInSelector: invalidLabels}
	errs := metav1validation.ValidateLabelSelector(w.NamespaceSelector, options, path.Child("namespaceSelector"))
	return append(errs, metav1validation.ValidateLabelSelector(w.ObjectSelector, options, path.Child("objectSelector"))...)
}

func validateReviewVersions(versions []string, mustKnow bool, path *field.Path) field.ErrorList {
	known := strings.Join(ReviewVersions, ", ")
	if len(versions) == 0 {
		return field.ErrorList{field.Required(path, "must specify one of "+known)}
	}
	var errs field.ErrorList
	for i, v := range versions {
		if slices.Contains(versions[:i], v) {
			errs = append(errs, field.Invalid(path.Index(i), v, "duplicate version"))
			continue
		}
		for _, message := range utilvalidation.IsDNS1035Label(v) {
			errs = append(errs, field.Invalid(path.Index(i), v, message))
		}
	}
	if mustKnow && !knowsReview(versions) {
		errs = append(errs, field.Invalid(path, versions, fmt.Sprintf("must include at least one of %v", known)))
	}
	return errs
}
