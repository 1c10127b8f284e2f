package auth

import (
	"fmt"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// attributesOf is the request that a review asks about, and what of it was not understood.
func attributesOf(u User, r *authorizationv1.ResourceAttributes, n *authorizationv1.NonResourceAttributes) (a Attributes, ignored []string) {
	if r == nil {
		return Attributes{User: u, Verb: n.Verb, Path: n.Path}, nil
	}
	byField, fieldTerms := fieldSelectorOf(r.FieldSelector)
	byLabel, labelTerms := labelSelectorOf(r.LabelSelector)
	note := func(selector string, terms int, empty bool) {
		switch {
		case terms > 0 && empty:
			ignored = append(ignored, "spec.resourceAttributes."+selector+" ignored due to parse error")
		case terms > 0:
			ignored = append(ignored, "spec.resourceAttributes."+selector+" partially ignored due to parse error")
		}
	}
	note("fieldSelector", fieldTerms, byField == nil || byField.Empty())
	note("labelSelector", labelTerms, byLabel == nil || byLabel.Empty())
	return Attributes{
		User: u, Verb: r.Verb, APIGroup: r.Group, APIVersion: orAll(r.Version), Resource: r.Resource, Subresource: r.Subresource,
		Namespace: r.Namespace, Name: r.Name, IsResourceRequest: true, FieldSelector: byField, LabelSelector: byLabel,
	}, ignored
}

func orAll(version string) string {
	if version == "" {
		return "*"
	}
	return version
}

func subjectAttributes(spec *authorizationv1.SubjectAccessReviewSpec) (Attributes, []string) {
	u := User{Name: spec.User, UID: spec.UID, Groups: spec.Groups}
	if len(spec.Extra) > 0 {
		u.Extra = map[string][]string{}
		for key, values := range spec.Extra {
			u.Extra[key] = values
		}
	}
	return attributesOf(u, spec.ResourceAttributes, spec.NonResourceAttributes)
}

// checkLocal compares a review that is valid with the namespace that it was sent to.
func checkLocal(review *authorizationv1.LocalSubjectAccessReview, namespace string) error {
	if namespace == "" {
		return apierrors.NewBadRequest(fmt.Sprintf("namespace is required on this type: %v", namespace))
	}
	if r := review.Spec.ResourceAttributes; r.Namespace != namespace {
		return apierrors.NewBadRequest(fmt.Sprintf("spec.resourceAttributes.namespace must match namespace: %v", namespace))
	}
	return nil
}
