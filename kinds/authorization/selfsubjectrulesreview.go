package authorization

import (
	authorizationv1 "k8s.io/api/authorization/v1"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// SelfSubjectRulesReview is the row of selfsubjectrulesreviews.
func SelfSubjectRulesReview() *resource.Resource {
	return &resource.Resource{
		Group: "authorization.k8s.io", Version: "v1", Name: "selfsubjectrulesreviews", Singular: "selfsubjectrulesreview", Kind: "SelfSubjectRulesReview",

		New: func() resource.Object { return &authorizationv1.SelfSubjectRulesReview{} },

		Virtual: true, Verbs: []string{"create"},
		Columns: meta.NameAndAge(), Row: meta.NameAndAgeRow,
	}
}
