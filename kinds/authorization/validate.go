package authorization

import (
	"fmt"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
)

func validateSubjectReview(review *authorizationv1.SubjectAccessReview) field.ErrorList {
	return append(validateSubject(&review.Spec), meta.MustBeEmpty(&review.ObjectMeta, "")...)
}

func validateLocalReview(review *authorizationv1.LocalSubjectAccessReview) field.ErrorList {
	errs := append(validateSubject(&review.Spec), meta.MustBeEmpty(&review.ObjectMeta, "namespace")...)
	if about := review.Spec.ResourceAttributes; about != nil && about.Namespace != review.Namespace {
		errs = append(errs, field.Invalid(field.NewPath("spec.resourceAttributes.namespace"), about.Namespace, "must match metadata.namespace"))
	}
	if about := review.Spec.NonResourceAttributes; about != nil {
		errs = append(errs, field.Invalid(field.NewPath("spec.nonResourceAttributes"), meta.Internal(about), "disallowed on this kind of request"))
	}
	return errs
}

func validateSelfReview(review *authorizationv1.SelfSubjectAccessReview) field.ErrorList {
	errs := validateOneAction(review.Spec.ResourceAttributes, review.Spec.NonResourceAttributes)
	errs = append(errs, validateSelectors(review.Spec.ResourceAttributes)...)
	return append(errs, meta.MustBeEmpty(&review.ObjectMeta, "")...)
}

func validateSubject(spec *authorizationv1.SubjectAccessReviewSpec) field.ErrorList {
	errs := validateOneAction(spec.ResourceAttributes, spec.NonResourceAttributes)
	if spec.User == "" && len(spec.Groups) == 0 {
		errs = append(errs, field.Invalid(field.NewPath("spec", "user"), spec.User, "at least one of user or group must be specified"))
	}
	return append(errs, validateSelectors(spec.ResourceAttributes)...)
}

func validateOneAction(resource *authorizationv1.ResourceAttributes, url *authorizationv1.NonResourceAttributes) field.ErrorList {
	path := field.NewPath("spec")
	if resource != nil && url != nil {
		return field.ErrorList{field.Invalid(path.Child("nonResourceAttributes"), meta.Internal(url), "cannot be specified in combination with resourceAttributes")}
	}
	if resource == nil && url == nil {
		return field.ErrorList{field.Invalid(path.Child("resourceAttributes"), url,
			"exactly one of nonResourceAttributes or resourceAttributes must be specified")}
	}
	return nil
}

// validateSelectors lets pass operators that are not known: they may come from a newer client, and only narrow a request.
func validateSelectors(about *authorizationv1.ResourceAttributes) field.ErrorList {
	if about == nil {
		return nil
	}
	var errs field.ErrorList
	path := field.NewPath("spec.resourceAttributes")
	if selector := about.FieldSelector; selector != nil {
		at := path.Child("fieldSelector")
		errs = append(errs, validateOneForm(at, selector.RawSelector, len(selector.Requirements))...)
		lenient := metav1validation.FieldSelectorValidationOptions{AllowUnknownOperatorInRequirement: true}
		for i, requirement := range selector.Requirements {
			errs = append(errs, metav1validation.ValidateFieldSelectorRequirement(requirement, lenient, at.Child("requirements").Index(i))...)
		}
	}
	if selector := about.LabelSelector; selector != nil {
		at := path.Child("labelSelector")
		errs = append(errs, validateOneForm(at, selector.RawSelector, len(selector.Requirements))...)
		lenient := metav1validation.LabelSelectorValidationOptions{AllowUnknownOperatorInRequirement: true}
		for i, requirement := range selector.Requirements {
			errs = append(errs, metav1validation.ValidateLabelSelectorRequirement(requirement, lenient, at.Child("requirements").Index(i))...)
		}
	}
	return errs
}

func validateOneForm(path *field.Path, raw string, requirements int) field.ErrorList {
	if raw != "" && requirements > 0 {
		return field.ErrorList{field.Invalid(path.Child("rawSelector"), raw, "may not specified at the same time as requirements")}
	}
	if raw == "" && requirements == 0 {
		return field.ErrorList{field.Required(path.Child("requirements"),
			fmt.Sprintf("when %s is specified, requirements or rawSelector is required", path))}
	}
	return nil
}
