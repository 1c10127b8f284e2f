package authorization

import (
	authorizationv1 "k8s.io/api/authorization/v1"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// SelfSubjectAccessReview is the row of selfsubjectaccessreviews.
func SelfSubjectAccessReview() *resource.Resource {
	return &resource.Resource{
		Group: "authorization.k8s.io", Version: "v1", Name: "selfsubjectaccessreviews", Singular: "selfsubjectaccessreview", Kind: "SelfSubjectAccessReview",

		New: func() resource.Object { return &authorizationv1.SelfSubjectAccessReview{} },

		Virtual: true, Verbs: []string{"create"},
		Columns: meta.NameAndAge(), Row: meta.NameAndAgeRow,
	}
}
