package admissionregistration

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"proa/kinds/resource"
)

// MutatingAdmissionPolicyBinding is the row of mutatingadmissionpolicybindings.
func MutatingAdmissionPolicyBinding() *resource.Resource {
	type binding = admissionv1.MutatingAdmissionPolicyBinding
	return bindingKind[*binding]{
		kind: "MutatingAdmissionPolicyBinding", create: func() *binding { return &binding{} },
		list: func() runtime.Object { return &admissionv1.MutatingAdmissionPolicyBindingList{} },
		parts: func(b *binding) bindingParts {
			return bindingParts{b.Spec, b.Spec.PolicyName, b.Spec.ParamRef, b.Spec.MatchResources}
		},
		validate: validateMutatingBinding,
	}.row()
}
