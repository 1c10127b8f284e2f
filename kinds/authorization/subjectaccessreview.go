package authorization

import (
	authorizationv1 "k8s.io/api/authorization/v1"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// SubjectAccessReview is the row of subjectaccessreviews: may that subject do this?
func SubjectAccessReview() *resource.Resource {
	return &resource.Resource{
		Group: authorizationv1.GroupName, Version: "v1", Name: "subjectaccessreviews",
		Singular: "subjectaccessreview", Kind: "SubjectAccessReview",
		Verbs:    []string{"create"},
		Virtual:  true,
		New:      func() resource.Object { return &authorizationv1.SubjectAccessReview{} },
		Validate: resource.Typed(validateSubjectReview),
		Columns:  meta.NameAndCreated(),
		Row:      meta.NameAndCreatedRow,
	}
}
