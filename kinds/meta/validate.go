package meta

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/resource"
)

// ValidateCreate says what is wrong with a new object; validate is the rule of its kind, or nil.
func ValidateCreate(row *resource.Resource, obj resource.Object, validate func(resource.Object) field.ErrorList) field.ErrorList {
	var errs field.ErrorList
	if validate != nil {
		errs = validate(obj)
	}
	if row.Virtual { // what is not stored has no name
		return errs
	}
	if !row.LooseMetadata {
		errs = append(Validate(row, obj), errs...)
	}
	if len(errs) > 0 || row.ValidateName == nil && !row.LooseMetadata { // other names fit in a path
		return errs
	}
	return validation.ValidateObjectMetaAccessor(obj, row.Namespaced, FitsInPath, field.NewPath("metadata"))
}

// Validate says what is wrong with the metadata of a new object: names, labels, annotations, owners, finalizers.
func Validate(row *resource.Resource, obj resource.Object) field.ErrorList {
	errs := validation.ValidateObjectMetaAccessor(obj, row.Namespaced, nameRule(row, obj), field.NewPath("metadata"))
	return append(errs, knownFinalizers(row, obj)...)
}

func knownFinalizers(row *resource.Resource, obj resource.Object) field.ErrorList {
	if row.AnyFinalizer {
		return nil
	}
	var errs field.ErrorList
	for i, finalizer := range obj.GetFinalizers() {
		errs = append(errs, KnownFinalizer(field.NewPath("metadata", "finalizers").Index(i), finalizer)...)
	}
	return errs
}

// KnownFinalizer wants a finalizer that is Kubernetes' own, or has a domain.
func KnownFinalizer(path *field.Path, finalizer string) field.ErrorList {
	switch finalizer {
	case string(corev1.FinalizerKubernetes), metav1.FinalizerOrphanDependents, metav1.FinalizerDeleteDependents:
		return nil
	}
	if strings.Contains(finalizer, "/") {
		return nil
	}
	return field.ErrorList{field.Invalid(path, finalizer, "name is neither a standard finalizer name nor is it fully qualified")}
}

// ValidateUpdate says what is wrong with the metadata of a changed object: what may not change, and what Validate finds. Of
// the name, unless the row wants its rule to hold again, only that it fits in a path. What the row's ValidateChange finds is
// among it. obj carries a resourceVersion by now, the client's or the one it is compared with.
func ValidateUpdate(row *resource.Resource, obj, old resource.Object, door *resource.Subresource) field.ErrorList {
	path := field.NewPath("metadata")
	errs := validation.ValidateObjectMetaAccessor(obj, row.Namespaced, FitsInPath, path)
	errs = append(errs, validation.ValidateObjectMetaAccessorUpdate(obj, old, path)...)
	if row.LooseMetadata {
		return Distinct(errs)
	}
	checksName := !row.ChecksNameOnce && (door == nil || door.ChecksName)
	if checksName && !row.NameLast {
		return Distinct(append(errs, Validate(row, obj)...))
	}
	errs = append(errs, knownFinalizers(row, obj)...)
	if row.ValidateChange != nil && door == nil {
		errs = append(errs, row.ValidateChange(obj, old)...)
	}
	if checksName {
		errs = append(errs, Validate(row, obj)...)
	}
	return Distinct(errs)
}

// FitsInPath is the rule for names that need only be found in a URL.
func FitsInPath(name string, prefix bool) []string {
	if prefix {
		return content.IsPathSegmentPrefix(name)
	}
	return content.IsPathSegmentName(name)
}

// NameAlone is the rule for names that are DNS subdomains, where a generateName may be anything that leads to one.
func NameAlone(name string, prefix bool) []string {
	if prefix {
		return nil
	}
	return content.IsDNS1123Subdomain(name)
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

func nameRule(row *resource.Resource, obj resource.Object) validation.ValidateNameFunc {
	switch {
	case row.ValidateNameOf != nil:
		return row.ValidateNameOf(obj)
	case row.ValidateName != nil:
		return row.ValidateName
	}
	return validation.NameIsDNSSubdomain
}

// MustBeEmpty refuses metadata on review kinds, which have no place to keep it. except names a field that may be set,
// "namespace" or "". managedFields are let pass.
func MustBeEmpty(metadata *metav1.ObjectMeta, except string) field.ErrorList {
	rest := *metadata
	rest.ManagedFields = nil
	detail := "must be empty"
	if except != "" {
		rest.Namespace = ""
		detail += " except for " + except
	}
	if equality.Semantic.DeepEqual(rest, metav1.ObjectMeta{}) {
		return nil
	}
	return field.ErrorList{field.Invalid(field.NewPath("metadata"), metadata, detail)}
}
