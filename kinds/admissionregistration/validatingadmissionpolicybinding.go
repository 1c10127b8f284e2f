package admissionregistration

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"proa/kinds/resource"
)

// ValidatingAdmissionPolicyBinding is the row of validatingadmissionpolicybindings.
func ValidatingAdmissionPolicyBinding() *resource.Resource {
	type binding = admissionv1.ValidatingAdmissionPolicyBinding
	return bindingKind[*binding]{
		kind: "ValidatingAdmissionPolicyBinding", create: func() *binding { return &binding{} },
		list: func() runtime.Object { return &admissionv1.ValidatingAdmissionPolicyBindingList{} },
		parts: func(b *binding) bindingParts {
			return bindingParts{b.Spec, b.Spec.PolicyName, b.Spec.ParamRef, b.Spec.MatchResources}
		},
		validate: validateValidatingBinding,
	}.row()
}
