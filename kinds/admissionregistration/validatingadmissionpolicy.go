package admissionregistration

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// ValidatingAdmissionPolicy is the row of validatingadmissionpolicies.
func ValidatingAdmissionPolicy() *resource.Resource {
	return &resource.Resource{
		Group: admissionv1.GroupName, Version: "v1", Name: "validatingadmissionpolicies", Singular: "validatingadmissionpolicy", Kind: "ValidatingAdmissionPolicy",
		AnyFinalizer: true,
		Categories:   []string{"api-extensions"},
		New:          func() resource.Object { return &admissionv1.ValidatingAdmissionPolicy{} },
		NewList:      func() runtime.Object { return &admissionv1.ValidatingAdmissionPolicyList{} },
		Default: resource.Do(func(p *admissionv1.ValidatingAdmissionPolicy) {
			fill(&p.Spec.FailurePolicy, admissionv1.Fail)
			defaultMatch(p.Spec.MatchConstraints)
		}),
		PrepareCreate: resource.Do(func(p *admissionv1.ValidatingAdmissionPolicy) {
			p.Generation, p.Status = 1, admissionv1.ValidatingAdmissionPolicyStatus{}
		}),
		PrepareUpdate: resource.Do2(func(p, old *admissionv1.ValidatingAdmissionPolicy) {
			p.Status = *old.Status.DeepCopy()
			meta.CountGeneration(p, old, !equality.Semantic.DeepEqual(p.Spec, old.Spec))
		}),
		Validate: resource.Typed(func(p *admissionv1.ValidatingAdmissionPolicy) field.ErrorList {
			return validateValidatingPolicy(p, nil)
		}),
		ValidateUpdate: resource.Typed2(validateValidatingPolicy),
		Reset:          map[string][]string{"status": {"metadata", "spec"}},
		Status: &resource.Subresource{
			Name: "status", Verbs: []string{"get", "patch", "update"},
			PrepareUpdate: resource.Do2(func(p, old *admissionv1.ValidatingAdmissionPolicy) {
				p.Spec = *old.Spec.DeepCopy()
				metav1.ResetObjectMetaForStatus(p, old.DeepCopy())
			}),
			ValidateUpdate: resource.Typed2(func(p, _ *admissionv1.ValidatingAdmissionPolicy) field.ErrorList {
				return validatePolicyStatus(&p.Status)
			}),
		},
		Warnings: warnOfSuffix,
		Columns:  policyColumns("Validations", "Validations indicates the number of validation rules defined in this configuration"),
		Row: resource.Typed(func(p *admissionv1.ValidatingAdmissionPolicy) []any {
			return []any{p.Name, int64(len(p.Spec.Validations)), shownKind(p.Spec.ParamKind), meta.Since(p.CreationTimestamp)}
		}),
	}
}
