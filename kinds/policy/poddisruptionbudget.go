// Package policy holds the rules of PodDisruptionBudget: what it fills in, what it refuses, what kubectl shows.
//
// It decides and does nothing on its own: every function is pure and is called through the row of its kind, by the API
// server for each write and by whoever prints a table. It needs nothing that could be gone.
package policy

import (
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// PodDisruptionBudget is the row of poddisruptionbudgets.
func PodDisruptionBudget() *resource.Resource {
	return &resource.Resource{
		Group: "policy", Version: "v1", Name: "poddisruptionbudgets", Singular: "poddisruptionbudget", Kind: "PodDisruptionBudget",
		ShortNames: []string{"pdb"}, Namespaced: true,
		New:     func() resource.Object { return &policyv1.PodDisruptionBudget{} },
		NewList: func() runtime.Object { return &policyv1.PodDisruptionBudgetList{} },

		PrepareCreate: resource.Do(func(b *policyv1.PodDisruptionBudget) {
			b.Generation, b.Status = 1, policyv1.PodDisruptionBudgetStatus{}
		}),
		PrepareUpdate: resource.Do2(prepareUpdate),
		Validate:      resource.Typed(validate),
		LooseMetadata: true,
		ValidateUpdate: resource.Typed2(func(b, _ *policyv1.PodDisruptionBudget) field.ErrorList {
			return validate(b)
		}),

		Status: &resource.Subresource{
			Name: "status", Verbs: []string{"get", "patch", "update"},
			PrepareUpdate: resource.Do2(func(b, old *policyv1.PodDisruptionBudget) {
				b.Spec, b.Generation = *old.Spec.DeepCopy(), old.Generation
			}),
			ValidateUpdate: resource.Typed2(validateStatus),
		},
		Columns: []resource.Column{
			meta.Name(),
			meta.Column("Min Available", "The minimum number of pods that must be available."),
			meta.Column("Max Unavailable", "The maximum number of pods that may be unavailable."),
			meta.Number("Allowed Disruptions", "Calculated number of pods that may be disrupted at this time."),
			meta.Age(),
		},
		Row: resource.Typed(func(b *policyv1.PodDisruptionBudget) []any {
			return []any{b.Name, shown(b.Spec.MinAvailable), shown(b.Spec.MaxUnavailable), int64(b.Status.DisruptionsAllowed), meta.Since(b.CreationTimestamp)}
		}),
	}
}

func shown(value *intstr.IntOrString) string {
	if value == nil {
		return "N/A"
	}
	return value.String()
}

func prepareUpdate(b, old *policyv1.PodDisruptionBudget) {
	b.Status = *old.Status.DeepCopy()
	meta.CountGeneration(b, old, !equality.Semantic.DeepEqual(b.Spec, old.Spec))
}

func validate(b *policyv1.PodDisruptionBudget) field.ErrorList {
	path := field.NewPath("spec")
	var errs field.ErrorList
	if b.Spec.MinAvailable != nil && b.Spec.MaxUnavailable != nil {
		errs = append(errs, field.Invalid(path, b.Spec, "minAvailable and maxUnavailable cannot be both set"))
	}
	errs = append(errs, validateShare(path.Child("minAvailable"), b.Spec.MinAvailable)...)
	errs = append(errs, validateShare(path.Child("maxUnavailable"), b.Spec.MaxUnavailable)...)
	errs = append(errs, metav1validation.ValidateLabelSelector(b.Spec.Selector, metav1validation.LabelSelectorValidationOptions{}, path.Child("selector"))...)
	if policy := b.Spec.UnhealthyPodEvictionPolicy; policy != nil && *policy != policyv1.AlwaysAllow && *policy != policyv1.IfHealthyBudget {
		errs = append(errs, field.NotSupported(path.Child("unhealthyPodEvictionPolicy"), *policy,
			[]policyv1.UnhealthyPodEvictionPolicyType{policyv1.AlwaysAllow, policyv1.IfHealthyBudget}))
	}
	return errs
}

// validateShare wants a number, or a percentage of up to 100.
func validateShare(path *field.Path, share *intstr.IntOrString) field.ErrorList {
	if share == nil {
		return nil
	}
	if share.Type == intstr.Int {
		return meta.NotNegative(path, share.IntVal)
	}
	var errs field.ErrorList
	for _, message := range utilvalidation.IsValidPercent(share.StrVal) {
		errs = append(errs, field.Invalid(path, share, message))
	}
	if percent, err := intstr.GetScaledValueFromIntOrPercent(share, 100, false); len(errs) == 0 && err == nil && percent > 100 {
		errs = append(errs, field.Invalid(path, share, "must not be greater than 100%"))
	}
	return errs
}

func validateStatus(b, _ *policyv1.PodDisruptionBudget) field.ErrorList {
	path, status := field.NewPath("status"), &b.Status
	errs := metav1validation.ValidateConditions(status.Conditions, path.Child("conditions"))
	return append(errs, meta.NotNegatives(path, meta.CountOf("disruptionsAllowed", status.DisruptionsAllowed), meta.CountOf("currentHealthy", status.CurrentHealthy),
		meta.CountOf("desiredHealthy", status.DesiredHealthy), meta.CountOf("expectedPods", status.ExpectedPods))...)
}
