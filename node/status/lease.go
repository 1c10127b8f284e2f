package status

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
)

// leaseSeconds is after how long without renewal the node counts as lost.
const leaseSeconds = 40

// leaseKeeper renews the node's lease: a heartbeat that is cheaper than a status.
type leaseKeeper struct {
	client   client.Client
	nodeName string
	now      func() time.Time
	last     *coordinationv1.Lease // as the API returned it
	renewed  time.Time
}

func (k *leaseKeeper) ref() client.Ref {
	return client.Ref{Table: "leases.coordination.k8s.io", Namespace: v1.NamespaceNodeLease, Name: k.nodeName}
}

// renew writes the lease unless it was written within the last interval.
func (k *leaseKeeper) renew(ctx context.Context, node *v1.Node) error {
	now := k.now()
	if now.Sub(k.renewed) < interval*9/10 {
		return nil
	}
	if k.last == nil {
		if found, err := k.client.GetLive(ctx, k.ref()); err == nil {
			k.last = found.(*coordinationv1.Lease)
		} else if !apierrors.IsNotFound(err) {
			return fmt.Errorf("read lease: %w", err)
		}
	}
	lease := k.next(node, now)
	var stored client.Object
	var err error
	if k.last == nil {
		stored, err = k.client.Create(ctx, k.ref(), "", lease, metav1.CreateOptions{})
	} else {
		stored, err = k.client.Update(ctx, k.ref(), "", lease, metav1.UpdateOptions{})
	}
	if err != nil {
		k.last = nil // read it anew: somebody changed or removed it
		return fmt.Errorf("renew lease: %w", err)
	}
	k.last, k.renewed = stored.(*coordinationv1.Lease), now
	return nil
}

func (k *leaseKeeper) next(node *v1.Node, now time.Time) *coordinationv1.Lease {
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: v1.NamespaceNodeLease, Name: k.nodeName}}
	if k.last != nil {
		lease = k.last.DeepCopy()
	}
	if len(lease.OwnerReferences) == 0 && node.UID != "" {
		lease.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: node.Name, UID: node.UID}}
	}
	seconds, at := int32(leaseSeconds), metav1.NewMicroTime(now)
	lease.Spec.HolderIdentity, lease.Spec.LeaseDurationSeconds, lease.Spec.RenewTime = &k.nodeName, &seconds, &at
	return lease
}
