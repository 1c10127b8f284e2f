package custom

import (
	"fmt"
	"sync"

	internal "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
)

// compiled is what the schema of one version compiles to. It is shared by all requests and never changes.
type compiled struct {
	preserve   bool // spec.preserveUnknownFields: nothing is dropped
	structural *structural.Structural
	gain       *gain // of the defaults; nil: there are none
	whole      validation.SchemaValidator
	status     validation.SchemaValidator // of the status alone; nil accepts all
	rules      *cel.Validator             // nil: there are none
	parts      func() *part               // of the whole, for objects that are large
}

// compile works out what a version's schema asks for. Validation of the definition leaves nothing that can fail here.
func compile(v *apiextensionsv1.CustomResourceDefinitionVersion, preserve bool) (*compiled, error) {
	props, err := propsOf(v)
	if err != nil {
		return nil, err
	}
	out := &compiled{preserve: preserve, parts: sync.OnceValue(func() *part { return partOf(props) })}
	if props != nil {
		s, err := structural.NewStructural(props)
		if err != nil && !preserve {
			return nil, fmt.Errorf("compile schema of version %s: %w", v.Name, err)
		}
		if !preserve {
			s = s.DeepCopy() // pruning the defaults would change the definition
			if err := defaulting.PruneDefaults(s); err != nil {
				return nil, fmt.Errorf("prune defaults of version %s: %w", v.Name, err)
			}
		}
		out.structural = s
		if out.gain, err = gainOf(s); err != nil {
			return nil, fmt.Errorf("compile schema of version %s: %w", v.Name, err)
		}
	}
	if out.whole, _, err = validation.NewSchemaValidator(props); err != nil {
		return nil, fmt.Errorf("compile schema of version %s: %w", v.Name, err)
	}
	if props != nil && v.Subresources != nil && v.Subresources.Status != nil {
		if status, ok := props.Properties["status"]; ok {
			if out.status, _, err = validation.NewSchemaValidator(&status); err != nil {
				return nil, fmt.Errorf("compile schema of status of version %s: %w", v.Name, err)
			}
		}
	}
	out.rules = cel.NewValidator(out.structural, true, celconfig.PerCallLimit)
	return out, nil
}

// propsOf is the version's schema as the library wants it, or nil.
func propsOf(v *apiextensionsv1.CustomResourceDefinitionVersion) (*internal.JSONSchemaProps, error) {
	if v.Schema == nil || v.Schema.OpenAPIV3Schema == nil {
		return nil, nil
	}
	out := &internal.CustomResourceValidation{}
	if err := apiextensionsv1.Convert_v1_CustomResourceValidation_To_apiextensions_CustomResourceValidation(v.Schema, out, nil); err != nil {
		return nil, fmt.Errorf("convert schema of version %s: %w", v.Name, err)
	}
	return out.OpenAPIV3Schema, nil
}

// source says where an object comes from.
type source struct {
	stored bool // it was accepted before: what is malformed in its metadata is dropped, not refused
	paths  bool // the paths of unknown fields are wanted
}

// coerceMetadata is coerce for an object of which no more is known than that it is one.
func coerceMetadata(u *unstructured.Unstructured, from source) (unknown []string, err error) {
	if err := typeIsText(u); err != nil {
		return nil, err
	}
	if _, err := schema.ParseGroupVersion(u.GetAPIVersion()); err != nil {
		return nil, err
	}
	meta, has, unknown, err := objectmeta.GetObjectMetaWithOptions(u.Object, objectmeta.ObjectMetaOptions{ReturnUnknownFieldPaths: from.paths})
	if err != nil || !has {
		return nil, err
	}
	return unknown, objectmeta.SetObjectMeta(u.Object, meta)
}

// typeIsText refuses a kind or version that is there and no text: a JSON patch may leave null.
func typeIsText(u *unstructured.Unstructured) error {
	for _, name := range [...]string{"kind", "apiVersion"} {
		if _, _, err := unstructured.NestedString(u.Object, name); err != nil {
			return err
		}
	}
	return nil
}

// coerce gives the object the form that decoding gives to objects of Go types: metadata without what nobody knows, no fields
// that the schema has not, no nulls where there may be none.
func (s *compiled) coerce(u *unstructured.Unstructured, from source) (unknown []string, err error) {
	if err := typeIsText(u); err != nil {
		return nil, err
	}
	kind, apiVersion := u.GetKind(), u.GetAPIVersion()
	meta, has, unknown, err := objectmeta.GetObjectMetaWithOptions(u.Object, objectmeta.ObjectMetaOptions{
		DropMalformedFields: from.stored, ReturnUnknownFieldPaths: from.paths})
	if err != nil {
		return nil, err
	}
	if !s.preserve {
		dropped := pruning.PruneWithOptions(u.Object, s.structural, true, structural.UnknownFieldPathOptions{TrackUnknownFieldPaths: from.paths})
		unknown = append(unknown, dropped...)
		defaulting.PruneNonNullableNullsWithoutDefaults(u.Object, s.structural)
	}
	invalid, paths := objectmeta.CoerceWithOptions(nil, u.Object, s.structural, false, objectmeta.CoerceOptions{
		DropInvalidFields: from.stored, ReturnUnknownFieldPaths: from.paths})
	if invalid != nil {
		return nil, invalid
	}
	if from.stored && has && meta.Generation == 0 {
		meta.Generation = 1 // of objects from before generations were counted
	}
	u.SetKind(kind)
	u.SetAPIVersion(apiVersion)
	if has {
		if err := objectmeta.SetObjectMeta(u.Object, meta); err != nil {
			return nil, err
		}
	}
	return append(unknown, paths...), nil
}

// fill sets the defaults, unless they are too much: admit has refused that of what clients send, and validation refuses it of
// what webhooks made of that. What was stored before the schema had such defaults is shown without them.
func (s *compiled) fill(u *unstructured.Unstructured) {
	if s.gain != nil && s.tooMuch(u.Object) == nil {
		defaulting.Default(u.Object, s.structural)
	}
}
