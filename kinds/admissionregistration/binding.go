package admissionregistration

import (
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// bindingKind is what differs between the two kinds of bindings, which say where policies count.
type bindingKind[T resource.Object] struct {
	kind     string
	create   func() T
	list     func() runtime.Object
	parts    func(T) bindingParts
	validate func(T) field.ErrorList
}

// bindingParts are what both have.
type bindingParts struct {
	spec   any
	policy string
	params *admissionv1.ParamRef
	match  *admissionv1.MatchResources
}

func (k bindingKind[T]) row() *resource.Resource {
	singular := strings.ToLower(k.kind)
	return &resource.Resource{
		Group: admissionv1.GroupName, Version: "v1", Name: singular + "s", Singular: singular, Kind: k.kind,
		AnyFinalizer:  true,
		Categories:    []string{"api-extensions"},
		New:           func() resource.Object { return k.create() },
		NewList:       k.list,
		Default:       resource.Do(func(b T) { defaultMatch(k.parts(b).match) }),
		PrepareCreate: func(b resource.Object) { b.SetGeneration(1) },
		PrepareUpdate: resource.Do2(func(b, old T) {
			meta.CountGeneration(b, old, !equality.Semantic.DeepEqual(k.parts(b).spec, k.parts(old).spec))
		}),
		Validate:       resource.Typed(k.validate),
		ValidateUpdate: resource.Typed2(func(b, _ T) field.ErrorList { return k.validate(b) }),
		Warnings:       warnOfSuffix,
		Columns:        bindingColumns(),
		Row: resource.Typed(func(b T) []any {
			p := k.parts(b)
			return []any{b.GetName(), p.policy, shownParams(p.params), meta.Since(b.GetCreationTimestamp())}
		}),
	}
}
