package admit

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"proa/apiserver/auth"
	"proa/kinds/resource"
)

const ownerPermissions = "OwnerReferencesPermissionEnforcement"

// owners keeps owner references from giving more than their writer may do himself: to have an object deleted with another, and
// to keep another from being deleted.
type owners struct {
	authorizer auth.Authorizer
	kind       func(schema.GroupVersionKind) *resource.Resource // nil for what is not served
}

func (o *owners) check(ctx context.Context, a *Attributes) error {
	if a.Object == nil || a.Subresource == "status" && a.Resource.Table() == "pods" { // whose rules refuse the change
		return nil
	}
	now, before := a.Object.GetOwnerReferences(), []metav1.OwnerReference(nil)
	if a.Old != nil {
		before = a.Old.GetOwnerReferences()
	}
	if len(now) == len(before) && equality.Semantic.DeepEqual(now, before) {
		return nil
	}
	if a.Operation != Create { // who creates could have left it
		ask := auth.Attributes{User: a.User, Verb: "delete", APIGroup: a.Resource.Group, APIVersion: a.Version.Kind.Version,
			Resource: a.Resource.Name, Subresource: a.Subresource, Namespace: a.Namespace, Name: a.Name, IsResourceRequest: true}
		if allowed, reason, err := o.authorizer.Authorize(ctx, ask); !allowed {
			return Forbidden(a, fmt.Errorf("cannot set an ownerRef on a resource you can't delete: %v, %v", reason, err))
		}
	}
	blocking := newlyBlocking(now, before)
	if len(blocking) == 0 || o.mayUpdate(ctx, a, finalizersOf("*", "*", "*", "*")) == nil {
		return nil
	}
	for _, ref := range blocking {
		if err := o.mayBlock(ctx, a, ref); err != nil {
			return Forbidden(a, err)
		}
	}
	return nil
}

// newlyBlocking are the references that keep their owner from being deleted, and did not before.
func newlyBlocking(now, before []metav1.OwnerReference) []metav1.OwnerReference {
	blocks := func(r metav1.OwnerReference) bool { return r.BlockOwnerDeletion != nil && *r.BlockOwnerDeletion }
	var found []metav1.OwnerReference
	for _, ref := range now {
		if blocks(ref) && !slices.ContainsFunc(before, func(r metav1.OwnerReference) bool { return r.UID == ref.UID && blocks(r) }) {
			found = append(found, ref)
		}
	}
	return found
}

func (o *owners) mayBlock(ctx context.Context, a *Attributes, ref metav1.OwnerReference) error {
	gvk := schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind)
	owner := o.kind(gvk)
	if owner == nil {
		err := &meta.NoKindMatchError{GroupKind: gvk.GroupKind(), SearchedVersions: []string{gvk.Version}}
		return fmt.Errorf("cannot set blockOwnerDeletion in this case because cannot find RESTMapping for APIVersion %s Kind %s: %w", ref.APIVersion, ref.Kind, err)
	}
	ask := finalizersOf(gvk.Group, gvk.Version, owner.Name, ref.Name)
	if owner.Namespaced {
		ask.Namespace = a.Namespace
	}
	return o.mayUpdate(ctx, a, ask)
}

func finalizersOf(group, version, name, of string) auth.Attributes {
	return auth.Attributes{Verb: "update", APIGroup: group, APIVersion: version, Resource: name, Subresource: "finalizers", Name: of, IsResourceRequest: true}
}

func (o *owners) mayUpdate(ctx context.Context, a *Attributes, ask auth.Attributes) error {
	ask.User = a.User
	allowed, reason, err := o.authorizer.Authorize(ctx, ask)
	if allowed {
		return nil
	}
	return fmt.Errorf("cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: %v, %v", reason, err)
}
