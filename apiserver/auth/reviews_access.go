package auth

import (
	"fmt"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// attributesOf is the request that a review asks about.
func attributesOf(u User, r *authorizationv1.ResourceAttributes, n *authorizationv1.NonResourceAttributes) Attributes {
	if r == nil {
		return Attributes{User: u, Verb: n.Verb, Path: n.Path}
	}
	return Attributes{
		User: u, Verb: r.Verb, APIGroup: r.Group, APIVersion: orAll(r.Version), Resource: r.Resource, Subresource: r.Subresource,
		Namespace: r.Namespace, Name: r.Name, IsResourceRequest: true, FieldSelector: fieldSelectorOf(r.FieldSelector),
		LabelSelector: labelSelectorOf(r.LabelSelector),
	}
}

func orAll(version string) string {
	if version == "" {
		return "*"
	}
	return version
}

func subjectAttributes(spec *authorizationv1.SubjectAccessReviewSpec) Attributes {
	u := User{Name: spec.User, UID: spec.UID, Groups: spec.Groups}
	if len(spec.Extra) > 0 {
		u.Extra = map[string][]string{}
		for key, values := range spec.Extra {
			u.Extra[key] = values
		}
	}
	return attributesOf(u, spec.ResourceAttributes, spec.NonResourceAttributes)
}

func checkSpec(r *authorizationv1.ResourceAttributes, n *authorizationv1.NonResourceAttributes) field.ErrorList {
	path := field.NewPath("spec")
	switch {
	case r != nil && n != nil:
		return field.ErrorList{field.Invalid(path.Child("nonResourceAttributes"), n,
			"cannot be specified in combination with resourceAttributes")}
	case r == nil && n == nil:
		return field.ErrorList{field.Invalid(path.Child("resourceAttributes"), r,
			"exactly one of nonResourceAttributes or resourceAttributes must be specified")}
	}
	if r == nil {
		return nil
	}
	return checkSelectors(r, path.Child("resourceAttributes"))
}

func checkSubject(spec *authorizationv1.SubjectAccessReviewSpec) field.ErrorList {
	wrong := checkSpec(spec.ResourceAttributes, spec.NonResourceAttributes)
	if spec.User == "" && len(spec.Groups) == 0 {
		wrong = append(wrong, field.Invalid(field.NewPath("spec", "user"), spec.User, "at least one of user or group must be specified"))
	}
	return wrong
}

func checkLocal(review *authorizationv1.LocalSubjectAccessReview, namespace string) error {
	wrong := checkSubject(&review.Spec)
	meta := metav1.ObjectMeta{Namespace: review.Namespace, ManagedFields: review.ManagedFields}
	if !equality.Semantic.DeepEqual(meta, review.ObjectMeta) {
		wrong = append(wrong, field.Invalid(field.NewPath("metadata"), review.ObjectMeta, "must be empty except for namespace"))
	}
	if r := review.Spec.ResourceAttributes; r != nil && r.Namespace != review.Namespace {
		wrong = append(wrong, field.Invalid(field.NewPath("spec", "resourceAttributes", "namespace"), r.Namespace, "must match metadata.namespace"))
	}
	if review.Spec.NonResourceAttributes != nil {
		wrong = append(wrong, field.Invalid(field.NewPath("spec", "nonResourceAttributes"), review.Spec.NonResourceAttributes, "disallowed on this kind of request"))
	}
	if err := invalidReview(wrong); err != nil {
		return err
	}
	if namespace == "" {
		return apierrors.NewBadRequest(fmt.Sprintf("namespace is required on this type: %v", namespace))
	}
	if r := review.Spec.ResourceAttributes; r.Namespace != namespace {
		return apierrors.NewBadRequest(fmt.Sprintf("spec.resourceAttributes.namespace must match namespace: %v", namespace))
	}
	return nil
}

// invalidReview names no kind: upstream's decoder has taken it from the object by then.
func invalidReview(wrong field.ErrorList) error {
	if len(wrong) == 0 {
		return nil
	}
	return apierrors.NewInvalid(schema.GroupKind{Group: authorizationv1.GroupName}, "", wrong)
}
