package admissionregistration

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// MutatingAdmissionPolicy is the row of mutatingadmissionpolicies.
func MutatingAdmissionPolicy() *resource.Resource {
	return &resource.Resource{
		Group: admissionv1.GroupName, Version: "v1", Name: "mutatingadmissionpolicies", Singular: "mutatingadmissionpolicy", Kind: "MutatingAdmissionPolicy",
		AnyFinalizer: true,
		Categories:   []string{"api-extensions"},
		New:          func() resource.Object { return &admissionv1.MutatingAdmissionPolicy{} },
		NewList:      func() runtime.Object { return &admissionv1.MutatingAdmissionPolicyList{} },
		Default: resource.Do(func(p *admissionv1.MutatingAdmissionPolicy) {
			fill(&p.Spec.FailurePolicy, admissionv1.Fail)
			defaultMatch(p.Spec.MatchConstraints)
		}),
		PrepareCreate: resource.Do(func(p *admissionv1.MutatingAdmissionPolicy) { p.Generation = 1 }),
		PrepareUpdate: resource.Do2(func(p, old *admissionv1.MutatingAdmissionPolicy) {
			meta.CountGeneration(p, old, !equality.Semantic.DeepEqual(p.Spec, old.Spec))
		}),
		Validate: resource.Typed(func(p *admissionv1.MutatingAdmissionPolicy) field.ErrorList {
			return validateMutatingPolicy(p, nil)
		}),
		ValidateUpdate: resource.Typed2(validateMutatingPolicy),
		Warnings:       warnOfSuffix,
		Columns:        policyColumns("Mutations", "Mutation indicates the number of mutations rules defined in this configuration"),
		Row: resource.Typed(func(p *admissionv1.MutatingAdmissionPolicy) []any {
			return []any{p.Name, int64(len(p.Spec.Mutations)), shownKind(p.Spec.ParamKind), meta.Since(p.CreationTimestamp)}
		}),
	}
}
