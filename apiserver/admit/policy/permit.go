package policy

import (
	"context"
	"fmt"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/apiserver/admit"
	"proa/apiserver/auth"
	"proa/kinds/admissionregistration"
	"proa/kinds/resource"
	"proa/store"
)

// CheckParameters refuses policies and bindings whose author may not read the parameters that they name: a policy shows in
// what it refuses what it has read.
func (p *Policies) CheckParameters(ctx context.Context, a *admit.Attributes) error {
	if a.Resource.Group != admissionv1.GroupName || a.Subresource != "" || a.Object == nil || a.User.InGroup(auth.GroupMasters) {
		return nil
	}
	if kind := paramKindOf(a.Object); kind != nil {
		if a.Old != nil && equality.Semantic.DeepEqual(paramKindOf(a.Old), kind) {
			return nil
		}
		if err := p.mayReadAll(ctx, a, kind); err != nil {
			return invalid(a, field.Forbidden(field.NewPath("spec", "paramKind"), err.Error()))
		}
		return nil
	}
	policy, ref := paramRefOf(a.Object)
	if ref == nil {
		return nil
	}
	if a.Old != nil {
		if before, old := paramRefOf(a.Old); before == policy && equality.Semantic.DeepEqual(old, ref) {
			return nil
		}
	}
	if err := p.mayRead(ctx, a, policy, ref); err != nil {
		return invalid(a, field.Forbidden(field.NewPath("spec", "paramRef"), err.Error()))
	}
	return nil
}

func invalid(a *admit.Attributes, err *field.Error) error {
	return apierrors.NewInvalid(a.Resource.GroupVersionKind().GroupKind(), a.Name, field.ErrorList{err})
}

func paramKindOf(obj resource.Object) *admissionv1.ParamKind {
	switch o := obj.(type) {
	case *admissionv1.ValidatingAdmissionPolicy:
		return o.Spec.ParamKind
	case *admissionv1.MutatingAdmissionPolicy:
		return o.Spec.ParamKind
	}
	return nil
}

func paramRefOf(obj resource.Object) (policy string, ref *admissionv1.ParamRef) {
	switch o := obj.(type) {
	case *admissionv1.ValidatingAdmissionPolicyBinding:
		return o.Spec.PolicyName, o.Spec.ParamRef
	case *admissionv1.MutatingAdmissionPolicyBinding:
		return o.Spec.PolicyName, o.Spec.ParamRef
	}
	return "", nil
}

// reading is what is asked about a kind; of one that is not known, about everything.
func (p *Policies) reading(a *admit.Attributes, kind *admissionv1.ParamKind, verb string) auth.Attributes {
	ask := auth.Attributes{User: a.User, Verb: verb, APIGroup: "*", APIVersion: "*", Resource: "*", IsResourceRequest: true}
	if kind == nil {
		return ask
	}
	gvk := schema.FromAPIVersionAndKind(kind.APIVersion, kind.Kind)
	ask.APIGroup, ask.APIVersion = gvk.Group, gvk.Version
	if row := p.cfg.Kinds.ByKind(gvk); row != nil {
		ask.Resource = row.Name
	}
	return ask
}

func (p *Policies) mayReadAll(ctx context.Context, a *admit.Attributes, kind *admissionv1.ParamKind) error {
	ask := p.reading(a, kind, "get")
	ask.Name, ask.Namespace = "*", "*"
	allowed, _, err := p.cfg.Authorizer.Authorize(ctx, ask)
	switch {
	case allowed:
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf(`user %v must have "get" permission on all objects of the referenced paramKind (kind=%s, apiVersion=%s)`, a.User.Name, kind.Kind, kind.APIVersion)
}

func (p *Policies) mayRead(ctx context.Context, a *admit.Attributes, policy string, ref *admissionv1.ParamRef) error {
	verb := "get"
	if ref.Name == "" {
		verb = "list"
	}
	table := admissionregistration.ValidatingPoliciesTable
	if _, mutating := a.Object.(*admissionv1.MutatingAdmissionPolicyBinding); mutating {
		table = admissionregistration.MutatingPoliciesTable
	}
	var kind *admissionv1.ParamKind
	item := a.Snapshot.Get(store.Key{Table: table, Name: policy})
	if item != nil {
		if obj, ok := item.Value().(resource.Object); ok {
			kind = paramKindOf(obj)
		}
	}
	ask := p.reading(a, kind, verb)
	ask.Name, ask.Namespace = ref.Name, ref.Namespace
	allowed, _, err := p.cfg.Authorizer.Authorize(ctx, ask)
	switch {
	case allowed:
		return nil
	case err != nil:
		return fmt.Errorf("failed to authorize request: %w", err)
	case item == nil:
		return fmt.Errorf(`unable to get policy %s to determine minimum required permissions and user %v does not have "%v" permission for all groups, versions and resources`, policy, a.User.Name, verb)
	}
	return fmt.Errorf(`user %v does not have "%v" permission on the object referenced by paramRef`, a.User.Name, verb)
}
