package authentication

import (
	authenticationv1 "k8s.io/api/authentication/v1"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// SelfSubjectReview is the row of selfsubjectreviews.
func SelfSubjectReview() *resource.Resource {
	return &resource.Resource{
		Group: "authentication.k8s.io", Version: "v1", Name: "selfsubjectreviews", Singular: "selfsubjectreview", Kind: "SelfSubjectReview",

		New: func() resource.Object { return &authenticationv1.SelfSubjectReview{} },

		Virtual: true, Verbs: []string{"create"},
		Columns: meta.NameAndAge(), Row: meta.NameAndAgeRow,
	}
}
