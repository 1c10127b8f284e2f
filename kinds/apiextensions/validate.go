package apiextensions

import (
	"context"
	"fmt"
	"slices"
	"strings"

	internal "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	schemavalidation "k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/cel/environment"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"proa/kinds/resource"
)

func unconvertible(err error) field.ErrorList {
	return field.ErrorList{field.InternalError(field.NewPath("spec"), fmt.Errorf("convert definition: %w", err))}
}

func validate(d *apiextensionsv1.CustomResourceDefinition) field.ErrorList {
	in, err := converted(d)
	if err != nil {
		return unconvertible(err)
	}
	onlyFollowable(&in.Spec)
	return validation.ValidateCustomResourceDefinition(context.Background(), in)
}

func validateUpdate(d, old *apiextensionsv1.CustomResourceDefinition) field.ErrorList {
	in, before, err := both(d, old)
	if err != nil {
		return unconvertible(err)
	}
	onlyFollowable(&in.Spec)
	return validation.ValidateCustomResourceDefinitionUpdate(context.Background(), in, before)
}

// onlyFollowable takes out selectable fields that the rules would follow through a schema that is not structural, and panic;
// they say of the schema too what is wrong with it.
func onlyFollowable(d *internal.CustomResourceDefinitionSpec) {
	structured := func(of *internal.CustomResourceValidation) bool {
		if of == nil || of.OpenAPIV3Schema == nil {
			return true // nothing is followed
		}
		_, err := structural.NewStructural(of.OpenAPIV3Schema)
		return err == nil
	}
	v := d.Validation
	if none := v != nil && v.OpenAPIV3Schema == nil; (none || !structured(v)) && follows(d.SelectableFields) { // of all versions, a schema that is none is followed too
		d.SelectableFields = nil
	}
	for i := range d.Versions {
		if v := &d.Versions[i]; !structured(v.Schema) && follows(v.SelectableFields) {
			v.SelectableFields = nil
		}
	}
}

// follows says whether one of the paths is followed into a schema: others are refused for what they are.
func follows(selectable []internal.SelectableField) bool {
	return slices.ContainsFunc(selectable, func(f internal.SelectableField) bool { return strings.HasPrefix(f.JSONPath, ".") })
}

func validateStatus(d, old *apiextensionsv1.CustomResourceDefinition) field.ErrorList {
	in, before, err := both(d, old)
	if err != nil {
		return unconvertible(err)
	}
	return validation.ValidateUpdateCustomResourceDefinitionStatus(in, before)
}

func both(d, old *apiextensionsv1.CustomResourceDefinition) (in, before *internal.CustomResourceDefinition, err error) {
	if in, err = converted(d); err != nil {
		return nil, nil, err
	}
	before, err = converted(old)
	return in, before, err
}

// warnings tell of formats that nothing will check, each when it is first written.
func warnings(obj, old resource.Object) []string {
	var known []string
	if before, ok := old.(*apiextensionsv1.CustomResourceDefinition); ok {
		known = unknownFormats(before)
	}
	var texts []string
	for _, format := range unknownFormats(obj.(*apiextensionsv1.CustomResourceDefinition)) {
		if !slices.Contains(known, format) {
			texts = append(texts, fmt.Sprintf("unrecognized format %q", format))
		}
	}
	return texts
}

func unknownFormats(d *apiextensionsv1.CustomResourceDefinition) []string {
	in, err := converted(d)
	if err != nil {
		return nil // Validate says so
	}
	var found []string
	look := func(s *internal.JSONSchemaProps) bool {
		if s.Format != "" {
			asSpec := &spec.Schema{SchemaProps: spec.SchemaProps{Format: s.Format, Type: []string{s.Type}}}
			found = append(found, schemavalidation.GetUnrecognizedFormats(asSpec, environment.DefaultCompatibilityVersion())...)
		}
		return false
	}
	if in.Spec.Validation != nil {
		validation.SchemaHas(in.Spec.Validation.OpenAPIV3Schema, look)
	}
	for _, version := range in.Spec.Versions {
		if version.Schema != nil {
			validation.SchemaHas(version.Schema.OpenAPIV3Schema, look)
		}
	}
	return found
}
