package meta

import (
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/resource"
)

// Validate says what is wrong with the metadata of a new object: names, labels, annotations, owners, finalizers.
// The caller adds what the row's own Validate finds.
func Validate(row *resource.Resource, obj resource.Object) field.ErrorList {
	return validation.ValidateObjectMetaAccessor(obj, row.Namespaced, nameRule(row), field.NewPath("metadata"))
}

// ValidateUpdate says what is wrong with the metadata of a changed object: all that Validate finds, and what may
// not change. obj carries a resourceVersion by now, the client's or the one it is compared with.
func ValidateUpdate(row *resource.Resource, obj, old resource.Object) field.ErrorList {
	errs := validation.ValidateObjectMetaAccessorUpdate(obj, old, field.NewPath("metadata"))
	return Distinct(append(errs, Validate(row, obj)...))
}

// Distinct drops errors that two rules found alike.
func Distinct(errs field.ErrorList) field.ErrorList {
	seen := map[string]bool{}
	var kept field.ErrorList
	for _, err := range errs {
		if !seen[err.Error()] {
			seen[err.Error()] = true
			kept = append(kept, err)
		}
	}
	return kept
}

func nameRule(row *resource.Resource) validation.ValidateNameFunc {
	if row.ValidateName == nil {
		return validation.NameIsDNSSubdomain
	}
	return row.ValidateName
}

// MustBeEmpty refuses metadata on review kinds, which have no place to keep it. managedFields are let pass.
func MustBeEmpty(obj metav1.Object, except string) field.ErrorList {
	if obj.GetName() == "" && obj.GetGenerateName() == "" && (obj.GetNamespace() == "" || except == "namespace") &&
		len(obj.GetLabels()) == 0 && len(obj.GetAnnotations()) == 0 && len(obj.GetOwnerReferences()) == 0 &&
		len(obj.GetFinalizers()) == 0 && obj.GetUID() == "" && obj.GetResourceVersion() == "" {
		return nil
	}
	detail := "must be empty"
	if except != "" {
		detail += " except for " + except
	}
	return field.ErrorList{field.Invalid(field.NewPath("metadata"), obj.GetName(), detail)}
}
