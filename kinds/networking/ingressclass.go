package networking

import (
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// IngressClass is the row of ingressclasses.
func IngressClass() *resource.Resource {
	return &resource.Resource{
		Group: networkingv1.GroupName, Version: "v1", Name: "ingressclasses", Singular: "ingressclass", Kind: "IngressClass",
		New:     func() resource.Object { return &networkingv1.IngressClass{} },
		NewList: func() runtime.Object { return &networkingv1.IngressClassList{} },
		Default: resource.Do(func(c *networkingv1.IngressClass) {
			if p := c.Spec.Parameters; p != nil && p.Scope == nil {
				p.Scope = new(networkingv1.IngressClassParametersReferenceScopeCluster)
			}
		}),
		PrepareCreate: resource.Do(func(c *networkingv1.IngressClass) { c.Generation = 1 }),
		PrepareUpdate: resource.Do2(func(c, old *networkingv1.IngressClass) {
			meta.CountGeneration(c, old, !equality.Semantic.DeepEqual(c.Spec, old.Spec))
		}),
		Validate: resource.Typed(validateClass),
		ValidateChange: resource.Typed2(func(c, old *networkingv1.IngressClass) field.ErrorList {
			return validation.ValidateImmutableField(c.Spec.Controller, old.Spec.Controller, field.NewPath("spec", "controller"))
		}),
		ValidateUpdate:           resource.Typed2(func(c, _ *networkingv1.IngressClass) field.ErrorList { return validateClass(c) }),
		NameLast:                 true,
		AllowUnconditionalUpdate: true,
		Columns: []resource.Column{
			meta.Name(),
			meta.Column("Controller", "Controller that is responsible for handling this class"),
			meta.Column("Parameters", "A reference to a resource with additional parameters"),
			meta.Age(),
		},
		Row: resource.Typed(classRow),
	}
}

// IsDefault says whether ingresses that name no class get this one.
func IsDefault(c *networkingv1.IngressClass) bool {
	return c.Annotations[networkingv1.AnnotationIsDefaultIngressClass] == "true"
}

// longestController is the bound of a controller's name.
const longestController = 250

func validateClass(c *networkingv1.IngressClass) field.ErrorList {
	var errs field.ErrorList
	at := field.NewPath("spec", "controller")
	if len(c.Spec.Controller) > longestController {
		errs = append(errs, field.TooLong(at, "", longestController))
	}
	errs = append(errs, meta.DomainPrefixedPath(at, c.Spec.Controller)...)
	p := c.Spec.Parameters
	if p == nil {
		return errs
	}
	at = field.NewPath("spec", "parameters")
	errs = append(errs, validateReference(p.APIGroup, p.Kind, p.Name, at)...)
	const cluster, namespace = networkingv1.IngressClassParametersReferenceScopeCluster, networkingv1.IngressClassParametersReferenceScopeNamespace
	switch {
	case p.Scope == nil:
		errs = append(errs, field.Required(at.Child("scope"), ""))
	case *p.Scope == namespace && p.Namespace == nil:
		errs = append(errs, field.Required(at.Child("namespace"), "`parameters.scope` is set to 'Namespace'"))
	case *p.Scope == namespace:
		errs = append(errs, meta.Each(at.Child("namespace"), *p.Namespace, validation.ValidateNamespaceName(*p.Namespace, false))...)
	case *p.Scope != cluster:
		errs = append(errs, field.NotSupported(at.Child("scope"), *p.Scope, []string{cluster, namespace}))
	case p.Namespace != nil:
		errs = append(errs, field.Forbidden(at.Child("namespace"), "`parameters.scope` is set to 'Cluster'"))
	}
	return errs
}

func classRow(c *networkingv1.IngressClass) []any {
	name, parameters := c.Name, "<none>"
	if IsDefault(c) {
		name += " (default)"
	}
	if p := c.Spec.Parameters; p != nil {
		parameters = p.Kind
		if p.APIGroup != nil {
			parameters += "." + *p.APIGroup
		}
		parameters += "/" + p.Name
	}
	return []any{name, c.Spec.Controller, parameters, meta.Since(c.CreationTimestamp)}
}

// DefaultClass is the class of ingresses that name none: the newest of those that are marked so, among equals the first by name.
func DefaultClass(classes func(func(*networkingv1.IngressClass) bool)) *networkingv1.IngressClass {
	var best *networkingv1.IngressClass
	for c := range classes {
		switch {
		case !IsDefault(c):
		case best == nil, best.CreationTimestamp.Before(&c.CreationTimestamp),
			best.CreationTimestamp.Equal(&c.CreationTimestamp) && c.Name < best.Name:
			best = c
		}
	}
	return best
}

// EdgeController is the controller of classes whose ingresses the cluster's own edge serves.
const EdgeController = "proa/edge"

// Serves says whether an Ingress is the cluster's own door's: by its class, which is ours, or because it has none and there
// is none to take it for.
func Serves(i *networkingv1.Ingress, class func(string) *networkingv1.IngressClass) bool {
	name := i.Annotations[ClassAnnotation]
	if i.Spec.IngressClassName != nil {
		name = *i.Spec.IngressClassName
	}
	if name == "" {
		return true
	}
	c := class(name)
	return c != nil && c.Spec.Controller == EdgeController
}
