package authorization

import (
	authorizationv1 "k8s.io/api/authorization/v1"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// SubjectAccessReview is the row of subjectaccessreviews.
func SubjectAccessReview() *resource.Resource {
	return &resource.Resource{
		Group: "authorization.k8s.io", Version: "v1", Name: "subjectaccessreviews", Singular: "subjectaccessreview", Kind: "SubjectAccessReview",

		New: func() resource.Object { return &authorizationv1.SubjectAccessReview{} },

		Virtual: true, Verbs: []string{"create"},
		Columns: meta.NameAndAge(), Row: meta.NameAndAgeRow,
	}
}
