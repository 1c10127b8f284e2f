package authorization

import (
	authorizationv1 "k8s.io/api/authorization/v1"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// LocalSubjectAccessReview is the row of localsubjectaccessreviews.
func LocalSubjectAccessReview() *resource.Resource {
	return &resource.Resource{
		Group: "authorization.k8s.io", Version: "v1", Name: "localsubjectaccessreviews", Singular: "localsubjectaccessreview", Kind: "LocalSubjectAccessReview",

		Namespaced: true,
		New:        func() resource.Object { return &authorizationv1.LocalSubjectAccessReview{} },

		Virtual: true, Verbs: []string{"create"},
		Columns: meta.NameAndAge(), Row: meta.NameAndAgeRow,
	}
}
