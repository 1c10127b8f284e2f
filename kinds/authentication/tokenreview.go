package authentication

import (
	authenticationv1 "k8s.io/api/authentication/v1"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// TokenReview is the row of tokenreviews: whose token is this?
func TokenReview() *resource.Resource {
	return &resource.Resource{
		Group: authenticationv1.GroupName, Version: "v1", Name: "tokenreviews", Singular: "tokenreview", Kind: "TokenReview",
		Verbs:   []string{"create"},
		Virtual: true,
		New:     func() resource.Object { return &authenticationv1.TokenReview{} },
		Columns: meta.NameAndCreated(),
		Row:     meta.NameAndCreatedRow,
	}
}
