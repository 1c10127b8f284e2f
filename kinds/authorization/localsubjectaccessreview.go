package authorization

import (
	authorizationv1 "k8s.io/api/authorization/v1"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// LocalSubjectAccessReview is the row of localsubjectaccessreviews: may that subject do this in this namespace?
func LocalSubjectAccessReview() *resource.Resource {
	return &resource.Resource{
		Group: authorizationv1.GroupName, Version: "v1", Name: "localsubjectaccessreviews",
		Singular: "localsubjectaccessreview", Kind: "LocalSubjectAccessReview", Namespaced: true,
		Verbs:    []string{"create"},
		Virtual:  true,
		New:      func() resource.Object { return &authorizationv1.LocalSubjectAccessReview{} },
		Validate: resource.Typed(validateLocalReview),
		Columns:  meta.NameAndCreated(),
		Row:      meta.NameAndCreatedRow,
	}
}
