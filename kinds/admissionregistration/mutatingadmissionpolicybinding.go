package admissionregistration

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// MutatingAdmissionPolicyBinding is the row of mutatingadmissionpolicybindings.
func MutatingAdmissionPolicyBinding() *resource.Resource {
	return &resource.Resource{
		Group: admissionv1.GroupName, Version: "v1", Name: "mutatingadmissionpolicybindings", Singular: "mutatingadmissionpolicybinding", Kind: "MutatingAdmissionPolicyBinding",
		Categories:    []string{"api-extensions"},
		New:           func() resource.Object { return &admissionv1.MutatingAdmissionPolicyBinding{} },
		NewList:       func() runtime.Object { return &admissionv1.MutatingAdmissionPolicyBindingList{} },
		Default:       resource.Do(func(b *admissionv1.MutatingAdmissionPolicyBinding) { defaultMatch(b.Spec.MatchResources) }),
		PrepareCreate: resource.Do(func(b *admissionv1.MutatingAdmissionPolicyBinding) { b.Generation = 1 }),
		PrepareUpdate: resource.Do2(func(b, old *admissionv1.MutatingAdmissionPolicyBinding) {
			meta.CountGeneration(b, old, !equality.Semantic.DeepEqual(b.Spec, old.Spec))
		}),
		Validate: resource.Typed(validateMutatingBinding),
		ValidateUpdate: resource.Typed2(func(b, _ *admissionv1.MutatingAdmissionPolicyBinding) field.ErrorList {
			return validateMutatingBinding(b)
		}),
		Warnings: warnOfSuffix,
		Columns:  bindingColumns(),
		Row: resource.Typed(func(b *admissionv1.MutatingAdmissionPolicyBinding) []any {
			return []any{b.Name, b.Spec.PolicyName, shownParams(b.Spec.ParamRef), meta.Since(b.CreationTimestamp)}
		}),
	}
}
