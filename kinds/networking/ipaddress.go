package networking

import (
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// IPAddress is the row of ipaddresses: who holds which address. Its name is the address.
func IPAddress() *resource.Resource {
	return &resource.Resource{
		Group: networkingv1.GroupName, Version: "v1", Name: "ipaddresses", Singular: "ipaddress", Kind: "IPAddress",
		ShortNames: []string{"ip"},
		New:        func() resource.Object { return &networkingv1.IPAddress{} },
		NewList:    func() runtime.Object { return &networkingv1.IPAddressList{} },
		ValidateName: func(name string, _ bool) []string {
			var messages []string
			for _, err := range utilvalidation.IsValidIP(nil, name) {
				messages = append(messages, err.Detail)
			}
			return messages
		},
		GeneratesNoName: true,
		Validate:        resource.Typed(validateAddress),
		ValidateUpdate: resource.Typed2(func(a, old *networkingv1.IPAddress) field.ErrorList {
			errs := validateAddress(a)
			if !equality.Semantic.DeepEqual(a.Spec.ParentRef, old.Spec.ParentRef) {
				errs = append(errs, field.Invalid(field.NewPath("spec", "parentRef"), meta.Internal(a.Spec.ParentRef), validation.FieldImmutableErrorMsg))
			}
			return errs
		}),
		AllowUnconditionalUpdate: true,
		Columns:                  []resource.Column{meta.Name(), meta.Column("ParentRef", networkingv1.IPAddressSpec{}.SwaggerDoc()["parentRef"])},
		Row:                      resource.Typed(func(a *networkingv1.IPAddress) []any { return []any{a.Name, parentText(a.Spec.ParentRef)} }),
	}
}

func parentText(p *networkingv1.ParentReference) string {
	if p == nil {
		return "<none>"
	}
	text := strings.ToLower(schema.GroupResource{Group: p.Group, Resource: p.Resource}.String())
	if p.Namespace != "" {
		text += "/" + p.Namespace
	}
	return text + "/" + p.Name
}

func validateAddress(a *networkingv1.IPAddress) field.ErrorList {
	path, p := field.NewPath("spec", "parentRef"), a.Spec.ParentRef
	if p == nil {
		return field.ErrorList{field.Required(path, "")}
	}
	var errs field.ErrorList
	if p.Group != "" { // Services are of the group that has no name
		errs = append(errs, meta.Each(path.Child("group"), p.Group, utilvalidation.IsDNS1123Subdomain(p.Group))...)
	}
	for _, part := range []struct {
		name, value string
		required    bool
	}{{"resource", p.Resource, true}, {"name", p.Name, true}, {"namespace", p.Namespace, false}} {
		at := path.Child(part.name)
		switch {
		case part.value != "":
			errs = append(errs, meta.Each(at, part.value, content.IsPathSegmentName(part.value))...)
		case part.required:
			errs = append(errs, field.Required(at, ""))
		}
	}
	return errs
}
