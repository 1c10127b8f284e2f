package admissionregistration

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// Tables that the store keeps policies and their bindings in.
const (
	MutatingPoliciesTable   = "mutatingadmissionpolicies." + admissionv1.GroupName
	MutatingBindingsTable   = "mutatingadmissionpolicybindings." + admissionv1.GroupName
	ValidatingPoliciesTable = "validatingadmissionpolicies." + admissionv1.GroupName
	ValidatingBindingsTable = "validatingadmissionpolicybindings." + admissionv1.GroupName
)

// policyColumns are the columns of policies; count is what they have some of.
func policyColumns(count, description string) []resource.Column {
	return []resource.Column{
		meta.Name(),
		meta.Number(count, description),
		meta.Column("ParamKind", "ParamKind specifies the kind of resources used to parameterize this policy"),
		meta.Age(),
	}
}

func shownKind(kind *admissionv1.ParamKind) string {
	if kind == nil {
		return "<unset>"
	}
	return kind.APIVersion + "/" + kind.Kind
}

func bindingColumns() []resource.Column {
	return []resource.Column{
		meta.Name(),
		meta.Column("PolicyName", "PolicyName indicates the policy definition which the policy binding binded to"),
		meta.Column("ParamRef", "ParamRef indicates the param resource which sets the configuration param"),
		meta.Age(),
	}
}

func shownParams(ref *admissionv1.ParamRef) string {
	switch {
	case ref == nil:
		return "<unset>"
	case ref.Name != "" && ref.Namespace != "":
		return ref.Namespace + "/" + ref.Name
	case ref.Name != "":
		return "*/" + ref.Name
	case ref.Selector != nil:
		return ref.Selector.String()
	}
	return "<unset>"
}
