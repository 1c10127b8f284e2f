package authentication

import (
	authenticationv1 "k8s.io/api/authentication/v1"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// SelfSubjectReview is the row of selfsubjectreviews: who am I? (KEP-3325)
func SelfSubjectReview() *resource.Resource {
	return &resource.Resource{
		Group: authenticationv1.GroupName, Version: "v1", Name: "selfsubjectreviews", Singular: "selfsubjectreview", Kind: "SelfSubjectReview",
		Verbs:   []string{"create"},
		Virtual: true,
		New:     func() resource.Object { return &authenticationv1.SelfSubjectReview{} },
		Columns: meta.NameAndCreated(),
		Row:     meta.NameAndCreatedRow,
	}
}
