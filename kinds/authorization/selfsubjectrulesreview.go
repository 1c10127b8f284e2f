package authorization

import (
	authorizationv1 "k8s.io/api/authorization/v1"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// SelfSubjectRulesReview is the row of selfsubjectrulesreviews: what may I do in a namespace?
func SelfSubjectRulesReview() *resource.Resource {
	return &resource.Resource{
		Group: authorizationv1.GroupName, Version: "v1", Name: "selfsubjectrulesreviews",
		Singular: "selfsubjectrulesreview", Kind: "SelfSubjectRulesReview",
		Verbs:   []string{"create"},
		Virtual: true,
		New:     func() resource.Object { return &authorizationv1.SelfSubjectRulesReview{} },
		Columns: meta.NameAndCreated(),
		Row:     meta.NameAndCreatedRow,
	}
}
