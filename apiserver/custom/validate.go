package custom

import (
	"context"
	"fmt"
	"math"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/model"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	metavalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/common"

	"proa/kinds/resource"
)

// validate says what is wrong with a new object, or with a change of one, or of its status alone.
func (v *version) validate(ctx context.Context, obj, old resource.Object, door *resource.Subresource) field.ErrorList {
	u := obj.(*unstructured.Unstructured)
	switch {
	case old == nil:
		return v.validateCreate(ctx, u)
	case door != nil && door == v.row.Status:
		return v.validateStatus(ctx, u, old.(*unstructured.Unstructured))
	}
	return v.validateUpdate(ctx, u, old.(*unstructured.Unstructured))
}

func (v *version) validateCreate(ctx context.Context, u *unstructured.Unstructured) field.ErrorList {
	if errs := v.validateType(u); len(errs) > 0 {
		return errs
	}
	s, errs := v.checked(u)
	if len(errs) > 0 {
		return errs
	}
	if errs := s.tooMany(u.Object, nil); len(errs) > 0 {
		return errs
	}
	errs = metavalidation.ValidateObjectMetaAccessor(u, v.row.Namespaced, metavalidation.NameIsDNSSubdomain, field.NewPath("metadata"))
	errs = append(errs, validation.ValidateCustomResource(nil, u.Object, s.whole)...)
	errs = append(errs, v.validateScale(u)...)
	errs = append(errs, objectmeta.Validate(nil, u.Object, s.structural, false)...)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, s.structural, u.Object)...)
	return s.checkRules(ctx, errs, u, nil)
}

// validateUpdate says what is wrong with a change. What was wrong before and did not change is let pass (KEP-4008).
func (v *version) validateUpdate(ctx context.Context, u, before *unstructured.Unstructured) field.ErrorList {
	if errs := v.validateType(u); len(errs) > 0 {
		return errs
	}
	s, errs := v.checked(u)
	if len(errs) > 0 {
		return errs
	}
	same := common.NewCorrelatedObject(u.Object, before.Object, &model.Structural{Structural: s.structural})
	if errs := s.tooMany(u.Object, same); len(errs) > 0 {
		return errs
	}
	metadata := metavalidation.ValidateObjectMetaAccessorUpdate(u, before, field.NewPath("metadata")) // told of by the caller
	errs = append(metadata, validation.ValidateCustomResourceUpdate(nil, u.Object, before.Object, s.whole, validation.WithRatcheting(same))...)
	errs = append(errs, v.validateScale(u)...)
	errs = append(errs, objectmeta.Validate(nil, u.Object, s.structural, false)...)
	errs = append(errs, s.checkLists(u, before)...)
	return s.checkRules(ctx, errs, u, before, cel.WithRatcheting(same))[len(metadata):]
}

// validateStatus is validateUpdate for the status alone.
func (v *version) validateStatus(ctx context.Context, u, before *unstructured.Unstructured) field.ErrorList {
	if errs := v.validateType(u); len(errs) > 0 {
		return errs
	}
	s, errs := v.checked(u)
	if len(errs) > 0 {
		return errs
	}
	same := common.NewCorrelatedObject(u.Object, before.Object, &model.Structural{Structural: s.structural})
	var options []validation.ValidationOption
	if s.structural != nil {
		options = append(options, validation.WithRatcheting(same.Key("status")))
	}
	if errs := s.tooMany(map[string]any{"status": u.Object["status"]}, same); len(errs) > 0 {
		return errs
	}
	metadata := metavalidation.ValidateObjectMetaAccessorUpdate(u, before, field.NewPath("metadata")) // told of by the caller
	errs = metadata
	if status, ok := u.Object["status"]; ok && s.status != nil {
		errs = append(errs, validation.ValidateCustomResourceUpdate(field.NewPath("status"), status, before.Object["status"], s.status, options...)...)
	}
	errs = append(errs, v.validateScaleStatus(u)...)
	errs = append(errs, s.checkLists(u, before)...)
	return s.checkRules(ctx, errs, u, before, cel.WithRatcheting(same))[len(metadata):]
}

// checkLists finds sets and maps with doubles, unless there were some before.
func (s *compiled) checkLists(u, old *unstructured.Unstructured) field.ErrorList {
	errs := listtype.ValidateListSetsAndMaps(nil, s.structural, u.Object)
	if len(errs) > 0 && len(listtype.ValidateListSetsAndMaps(nil, s.structural, old.Object)) > 0 {
		return nil
	}
	return errs
}

// checkRules adds what CEL rules refuse. They are not asked about an object whose form is wrong: they rely on it.
func (s *compiled) checkRules(ctx context.Context, errs field.ErrorList, u, old *unstructured.Unstructured, options ...cel.Option) field.ErrorList {
	if s.rules == nil {
		return errs
	}
	for _, err := range errs {
		switch err.Type {
		case field.ErrorTypeNotSupported, field.ErrorTypeRequired, field.ErrorTypeTooLong, field.ErrorTypeTooMany, field.ErrorTypeTypeInvalid:
			return append(errs, field.Invalid(nil, nil,
				"some validation rules were not checked because the object was invalid; correct the existing errors to complete validation"))
		}
	}
	var before any
	if old != nil {
		before = old.Object
	}
	found, _ := s.rules.Validate(ctx, nil, s.structural, u.Object, before, celconfig.RuntimeCELCostBudget, options...)
	return append(errs, found...)
}

// checked is the schema, for an object to which its defaults could be added.
func (v *version) checked(u *unstructured.Unstructured) (*compiled, field.ErrorList) {
	s, err := v.schema()
	if err != nil {
		return nil, field.ErrorList{field.InternalError(nil, err)}
	}
	if err := s.tooMuch(u.Object); err != nil {
		return nil, field.ErrorList{field.Forbidden(nil, err.Error())}
	}
	return s, nil
}

func (v *version) validateType(u *unstructured.Unstructured) field.ErrorList {
	want := v.row.GroupVersionKind()
	var errs field.ErrorList
	if u.GetKind() != want.Kind {
		errs = append(errs, field.Invalid(field.NewPath("kind"), u.GetKind(), "must be "+want.Kind))
	}
	if apiVersion := want.GroupVersion().String(); u.GetAPIVersion() != apiVersion {
		errs = append(errs, field.Invalid(field.NewPath("apiVersion"), u.GetAPIVersion(), "must be "+apiVersion))
	}
	return errs
}

func (v *version) validateScale(u *unstructured.Unstructured) field.ErrorList {
	scale := v.scale()
	if scale == nil {
		return nil
	}
	return append(countAt(u, scale.SpecReplicasPath), v.validateScaleStatus(u)...)
}

func (v *version) validateScaleStatus(u *unstructured.Unstructured) field.ErrorList {
	scale := v.scale()
	if scale == nil {
		return nil
	}
	errs := countAt(u, scale.StatusReplicasPath)
	if path := scale.LabelSelectorPath; path != nil {
		if text, _, err := unstructured.NestedString(u.Object, steps(*path)...); err != nil {
			errs = append(errs, field.Invalid(field.NewPath(*path), text, err.Error()))
		}
	}
	return errs
}

func (v *version) scale() *apiextensionsv1.CustomResourceSubresourceScale {
	if v.spec.Subresources == nil {
		return nil
	}
	return v.spec.Subresources.Scale
}

// countAt wants a number of replicas at a path.
func countAt(u *unstructured.Unstructured, path string) field.ErrorList {
	n, _, err := unstructured.NestedInt64(u.Object, steps(path)...)
	at := field.NewPath(path)
	switch {
	case err != nil:
		return field.ErrorList{field.Invalid(at, n, err.Error())}
	case n < 0:
		return field.ErrorList{field.Invalid(at, n, "should be a non-negative integer")}
	case n > math.MaxInt32:
		return field.ErrorList{field.Invalid(at, n, fmt.Sprintf("should be less than or equal to %v", math.MaxInt32))}
	}
	return nil
}

// warnings tell of finalizers that may meet those of others, when they are added.
func warnings(obj, old resource.Object) []string {
	had := map[string]bool{}
	if old != nil {
		for _, name := range old.GetFinalizers() {
			had[name] = true
		}
	}
	var texts []string
	for _, name := range obj.GetFinalizers() {
		if !had[name] {
			texts = append(texts, finalizerWarnings(name)...)
		}
	}
	return texts
}

func finalizerWarnings(name string) []string {
	var texts []string
	path := field.NewPath("metadata", "finalizers")
	for _, text := range utilvalidation.IsQualifiedName(name) {
		texts = append(texts, fmt.Sprintf("%s: %q: %s", path, name, text))
	}
	switch name {
	case metav1.FinalizerOrphanDependents, metav1.FinalizerDeleteDependents, string(corev1.FinalizerKubernetes):
		return texts
	}
	if strings.Contains(name, "/") {
		return texts
	}
	domain := ""
	if strings.Contains(name, ".") {
		domain = " including a path (/)"
	}
	return append(texts, fmt.Sprintf("%s: %q: prefer a domain-qualified finalizer name%s to avoid accidental conflicts with other finalizer writers", path, name, domain))
}
