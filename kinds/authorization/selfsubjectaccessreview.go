package authorization

import (
	authorizationv1 "k8s.io/api/authorization/v1"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// SelfSubjectAccessReview is the row of selfsubjectaccessreviews: may I do this?
func SelfSubjectAccessReview() *resource.Resource {
	return &resource.Resource{
		Group: authorizationv1.GroupName, Version: "v1", Name: "selfsubjectaccessreviews",
		Singular: "selfsubjectaccessreview", Kind: "SelfSubjectAccessReview",
		Verbs:    []string{"create"},
		Virtual:  true,
		New:      func() resource.Object { return &authorizationv1.SelfSubjectAccessReview{} },
		Validate: resource.Typed(validateSelfReview),
		Columns:  meta.NameAndCreated(),
		Row:      meta.NameAndCreatedRow,
	}
}
