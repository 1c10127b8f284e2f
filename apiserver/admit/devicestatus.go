package admit

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/apiserver/auth"
)

// deviceStatus says who may write which part of a claim's status (KEP-5732): the scheduler binds it, and each driver reports on its own
// devices, from the node where they are if it may not do so from anywhere. Rights to resourceclaims/status alone are no longer enough.
type deviceStatus struct{ authorizer auth.Authorizer }

func (d *deviceStatus) check(ctx context.Context, a *Attributes) error {
	claim, ok := a.Object.(*resourcev1.ResourceClaim)
	if !ok || a.Operation != Update || a.Subresource != "status" {
		return nil
	}
	old := a.Old.(*resourcev1.ResourceClaim)
	refused := d.checkBinding(ctx, a, &claim.Status, &old.Status)
	if claim.Status.Allocation != nil { // otherwise the reports are dropped, whoever they are from
		refused = append(refused, d.checkReports(ctx, a, &claim.Status, &old.Status)...)
	}
	if len(refused) == 0 {
		return nil
	}
	return apierrors.NewInvalid(a.Resource.GroupVersionKind().GroupKind(), a.Name, refused)
}

func (d *deviceStatus) checkBinding(ctx context.Context, a *Attributes, now, old *resourcev1.ResourceClaimStatus) field.ErrorList {
	if equality.Semantic.DeepEqual(now.Allocation, old.Allocation) && equality.Semantic.DeepEqual(now.ReservedFor, old.ReservedFor) {
		return nil
	}
	right := claimRight(a, a.Verb, resourcev1.SubresourceBinding)
	if err := d.ask(ctx, right); err != nil {
		return field.ErrorList{field.Forbidden(field.NewPath("status", "allocation"), fmt.Sprintf(
			"changing status.allocation or status.reservedFor requires resource=\"resourceclaims/binding\", verb=%q permission: %s", a.Verb, err))}
	}
	return nil
}

func (d *deviceStatus) checkReports(ctx context.Context, a *Attributes, now, old *resourcev1.ResourceClaimStatus) field.ErrorList {
	verbs := []string{resourcev1.VerbPrefixArbitraryNode + a.Verb}
	if node := nodeOf(now.Allocation); node != "" && runsOn(a.User, node) {
		verbs = []string{resourcev1.VerbPrefixAssociatedNode + a.Verb, verbs[0]}
	}
	var refused field.ErrorList
	for _, driver := range reporting(now.Devices, old.Devices) {
		var first error
		for _, verb := range verbs {
			right := claimRight(a, verb, resourcev1.SubresourceDriver)
			right.Namespace, right.Name = a.Namespace, driver
			err := d.ask(ctx, right)
			if err == nil {
				first = nil
				break
			}
			if first == nil {
				first = err
			}
		}
		if first != nil {
			refused = append(refused, field.Forbidden(field.NewPath("status", "devices"), fmt.Sprintf(
				"changing status.devices requires resource=\"resourceclaims/driver\", verb=\"%s\" permission: %s", verbs, first)))
		}
	}
	return refused
}

func (d *deviceStatus) ask(ctx context.Context, right auth.Attributes) error {
	allowed, reason, err := d.authorizer.Authorize(ctx, right)
	switch {
	case allowed:
		return nil
	case err != nil && reason != "":
		reason = fmt.Sprintf("%v: %s", err, reason)
	case err != nil:
		reason = err.Error()
	}
	return auth.Forbidden(right, reason)
}

// claimRight is a right to a subresource that is only a name for it.
func claimRight(a *Attributes, verb, subresource string) auth.Attributes {
	return auth.Attributes{User: a.User, Verb: verb, APIGroup: resourcev1.GroupName, APIVersion: a.Version.Kind.Version,
		Resource: "resourceclaims", Subresource: subresource, IsResourceRequest: true}
}

// reporting are the drivers of the devices whose reports are new, changed or gone, in order.
func reporting(now, old []resourcev1.AllocatedDeviceStatus) []string {
	type device struct{ driver, pool, name, share string }
	key := func(s *resourcev1.AllocatedDeviceStatus) device {
		k := device{driver: s.Driver, pool: s.Pool, name: s.Device}
		if s.ShareID != nil {
			k.share = *s.ShareID
		}
		return k
	}
	left, drivers := map[device]*resourcev1.AllocatedDeviceStatus{}, map[string]bool{}
	for i := range old {
		left[key(&old[i])] = &old[i]
	}
	for i := range now {
		k := key(&now[i])
		if was, ok := left[k]; !ok || !equality.Semantic.DeepEqual(*was, now[i]) {
			drivers[k.driver] = true
		}
		delete(left, k)
	}
	for k := range left {
		drivers[k.driver] = true
	}
	return slices.Sorted(maps.Keys(drivers))
}

// nodeOf is the one node where what was allocated is, or "".
func nodeOf(allocated *resourcev1.AllocationResult) string {
	if allocated.NodeSelector == nil || len(allocated.NodeSelector.NodeSelectorTerms) != 1 {
		return ""
	}
	term := allocated.NodeSelector.NodeSelectorTerms[0]
	if len(term.MatchExpressions) > 0 || len(term.MatchFields) != 1 {
		return ""
	}
	only := term.MatchFields[0]
	if only.Key != "metadata.name" || only.Operator != corev1.NodeSelectorOpIn || len(only.Values) != 1 {
		return ""
	}
	return only.Values[0]
}

// runsOn says whether a service account asks from a pod on the node.
func runsOn(u auth.User, node string) bool {
	nodes := u.Extra[auth.ExtraNodeName]
	return strings.HasPrefix(u.Name, auth.AccountUserPrefix) && len(nodes) == 1 && nodes[0] == node
}
