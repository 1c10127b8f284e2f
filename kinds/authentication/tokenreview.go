package authentication

import (
	authenticationv1 "k8s.io/api/authentication/v1"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// TokenReview is the row of tokenreviews.
func TokenReview() *resource.Resource {
	return &resource.Resource{
		Group: "authentication.k8s.io", Version: "v1", Name: "tokenreviews", Singular: "tokenreview", Kind: "TokenReview",

		New: func() resource.Object { return &authenticationv1.TokenReview{} },

		Virtual: true, Verbs: []string{"create"},
		Columns: meta.NameAndAge(), Row: meta.NameAndAgeRow,
	}
}
