package admissionregistration

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// ValidatingAdmissionPolicyBinding is the row of validatingadmissionpolicybindings.
func ValidatingAdmissionPolicyBinding() *resource.Resource {
	return &resource.Resource{
		Group: admissionv1.GroupName, Version: "v1", Name: "validatingadmissionpolicybindings", Singular: "validatingadmissionpolicybinding", Kind: "ValidatingAdmissionPolicyBinding",
		Categories:    []string{"api-extensions"},
		New:           func() resource.Object { return &admissionv1.ValidatingAdmissionPolicyBinding{} },
		NewList:       func() runtime.Object { return &admissionv1.ValidatingAdmissionPolicyBindingList{} },
		Default:       resource.Do(func(b *admissionv1.ValidatingAdmissionPolicyBinding) { defaultMatch(b.Spec.MatchResources) }),
		PrepareCreate: resource.Do(func(b *admissionv1.ValidatingAdmissionPolicyBinding) { b.Generation = 1 }),
		PrepareUpdate: resource.Do2(func(b, old *admissionv1.ValidatingAdmissionPolicyBinding) {
			meta.CountGeneration(b, old, !equality.Semantic.DeepEqual(b.Spec, old.Spec))
		}),
		Validate: resource.Typed(validateValidatingBinding),
		ValidateUpdate: resource.Typed2(func(b, _ *admissionv1.ValidatingAdmissionPolicyBinding) field.ErrorList {
			return validateValidatingBinding(b)
		}),
		Warnings: warnOfSuffix,
		Columns:  bindingColumns(),
		Row: resource.Typed(func(b *admissionv1.ValidatingAdmissionPolicyBinding) []any {
			return []any{b.Name, b.Spec.PolicyName, shownParams(b.Spec.ParamRef), meta.Since(b.CreationTimestamp)}
		}),
	}
}
