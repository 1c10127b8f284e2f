// Package claim decides which objects a controlling object owns: it adopts orphans that its selector matches and
// releases what it no longer matches. Decide is pure; Apply writes. Controllers with selectors call both. When the API
// refuses, the error goes to the caller, who tries the whole again.
package claim

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"proa/client"
)

// Verdict is what becomes of one candidate.
type Verdict uint8

// The verdicts.
const (
	Leave   Verdict = iota // not ours, and not to become so
	Keep                   // ours
	Adopt                  // an orphan that matches
	Release                // ours, but the selector no longer matches
)

// Decide says what becomes of a candidate.
func Decide(owner client.Object, selector labels.Selector, candidate client.Object) Verdict {
	matches := selector.Matches(labels.Set(candidate.GetLabels()))
	if ref := metav1.GetControllerOfNoCopy(candidate); ref != nil {
		switch {
		case ref.UID != owner.GetUID():
			return Leave
		case matches:
			return Keep
		case owner.GetDeletionTimestamp() != nil:
			return Leave
		}
		return Release
	}
	if owner.GetDeletionTimestamp() != nil || !matches || candidate.GetDeletionTimestamp() != nil {
		return Leave
	}
	return Adopt
}

// Claimer claims objects of one table for one owner.
type Claimer struct {
	Client   client.Client
	Owner    client.Object
	OwnerRef client.Ref              // where the owner is stored
	Kind     schema.GroupVersionKind // the owner's
	Table    string                  // the candidates'
}

// Claim adopts and releases as Decide says and returns the owner's objects, adopted ones as they are now. Candidates that
// are gone meanwhile are left out.
func Claim[T client.Object](ctx context.Context, c Claimer, selector labels.Selector, candidates []T) ([]T, error) {
	var claimed []T
	var errs []error
	checked := false
	for _, candidate := range candidates {
		switch Decide(c.Owner, selector, candidate) {
		case Keep:
			claimed = append(claimed, candidate)
		case Release:
			errs = append(errs, c.release(ctx, candidate))
		case Adopt:
			if !checked {
				if err := c.ownerLives(ctx); err != nil {
					return nil, fmt.Errorf("adopt %s/%s: %w", candidate.GetNamespace(), candidate.GetName(), err)
				}
				checked = true
			}
			adopted, err := c.adopt(ctx, candidate)
			if t, ok := adopted.(T); ok && err == nil {
				claimed = append(claimed, t)
			}
			errs = append(errs, ignoreNotFound(err))
		}
	}
	return claimed, errors.Join(errs...)
}

// ownerLives reads the owner past any cache: a view may be too old to know that it is being deleted, and its objects must
// not be given to it then.
func (c Claimer) ownerLives(ctx context.Context) error {
	live, err := c.Client.GetLive(ctx, c.OwnerRef)
	switch {
	case err != nil:
		return err
	case live.GetUID() != c.Owner.GetUID():
		return fmt.Errorf("original %s %s/%s is gone: got uid %s, wanted %s",
			c.Kind.Kind, c.OwnerRef.Namespace, c.OwnerRef.Name, live.GetUID(), c.Owner.GetUID())
	case live.GetDeletionTimestamp() != nil:
		return fmt.Errorf("%s/%s has just been deleted at %v", c.OwnerRef.Namespace, c.OwnerRef.Name, live.GetDeletionTimestamp())
	}
	return nil
}

// Both patches name the UID, so that they never hit another object of the same name.
const (
	adoptPatch   = `{"metadata":{"ownerReferences":[{"apiVersion":%q,"kind":%q,"name":%q,"uid":%q,"controller":true,"blockOwnerDeletion":true}],"uid":%q}}`
	releasePatch = `{"metadata":{"ownerReferences":[{"$patch":"delete","uid":%q}],"uid":%q}}`
)

func (c Claimer) adopt(ctx context.Context, obj client.Object) (client.Object, error) {
	patch := fmt.Sprintf(adoptPatch, c.Kind.GroupVersion(), c.Kind.Kind, c.Owner.GetName(), c.Owner.GetUID(), obj.GetUID())
	return c.Client.Patch(ctx, client.RefOf(c.Table, obj), "", types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{})
}

func (c Claimer) release(ctx context.Context, obj client.Object) error {
	patch := fmt.Sprintf(releasePatch, c.Owner.GetUID(), obj.GetUID())
	_, err := c.Client.Patch(ctx, client.RefOf(c.Table, obj), "", types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{})
	if apierrors.IsInvalid(err) { // another object has its name, or it has no owner any more: both are as wanted
		return nil
	}
	return ignoreNotFound(err)
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
