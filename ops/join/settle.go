package join

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
)

const (
	nodesTable  = "nodes"
	leasesTable = "leases.coordination.k8s.io"
)

// settle decides on a claim by what the API holds, and writes down on the Node who has the name, and its range. A node that
// changed meanwhile is looked at anew.
func (d *Door) settle(ctx context.Context, q *Request, c claim) (netip.Prefix, error) {
	d.one.Lock()
	defer d.one.Unlock()
	for {
		view := d.cfg.API.View()
		node, _ := client.Get[*v1.Node](view, nodesTable, "", q.Node)
		lease, _ := client.Get[*coordinationv1.Lease](view, leasesTable, v1.NamespaceNodeLease, q.Node)
		if why := c.refuse(q.Node, node, lease, d.cfg.Now()); why != "" {
			return netip.Prefix{}, refusal{http.StatusConflict, why}
		}
		podRange, ok := d.rangeOf(view, q, node)
		if !ok {
			return podRange, refusal{http.StatusConflict, fmt.Sprintf("no range for the node's pods is left in %s", d.cfg.Cluster.Pods)}
		}
		err := d.write(ctx, q.Node, node, c, podRange)
		if err == nil {
			return podRange, nil
		}
		if !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) {
			return podRange, fmt.Errorf("write node %s: %w", q.Node, err)
		}
		if err := ctx.Err(); err != nil {
			return podRange, err
		}
	}
}

// rangeOf is the range that the node has, or gets.
func (d *Door) rangeOf(view client.View, q *Request, node *v1.Node) (netip.Prefix, bool) {
	if node != nil {
		if has, err := netip.ParsePrefix(node.Spec.PodCIDR); err == nil {
			return has, true
		}
	}
	taken := append([]netip.Prefix(nil), d.cfg.Ranges...)
	for other := range client.List[*v1.Node](view, nodesTable, "") {
		if p, err := netip.ParsePrefix(other.Spec.PodCIDR); err == nil && other.Name != q.Node {
			taken = append(taken, p)
		}
	}
	return freeRange(d.cfg.Cluster.Pods, q.PodRange, taken)
}

func (d *Door) write(ctx context.Context, name string, old *v1.Node, c claim, podRange netip.Prefix) error {
	next := &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if old == nil {
		// Until the node itself says that it is ready, no pods are to come.
		next.Status.Conditions = []v1.NodeCondition{{Type: v1.NodeReady, Status: v1.ConditionFalse, Reason: "NodeJoining",
			Message: "the node has its certificates and starts", LastTransitionTime: metav1.NewTime(d.cfg.Now()), LastHeartbeatTime: metav1.NewTime(d.cfg.Now())}}
	} else {
		next = old.DeepCopy()
	}
	metav1.SetMetaDataAnnotation(&next.ObjectMeta, annotationKey, c.key)
	metav1.SetMetaDataAnnotation(&next.ObjectMeta, annotationJoined, d.cfg.Now().UTC().Format(time.RFC3339))
	if next.Spec.PodCIDR == "" {
		next.Spec.PodCIDR, next.Spec.PodCIDRs = podRange.String(), []string{podRange.String()}
	}
	var err error
	if old == nil {
		_, err = d.cfg.API.Create(ctx, client.RefOf(nodesTable, next), "", next, metav1.CreateOptions{})
	} else {
		_, err = d.cfg.API.Update(ctx, client.RefOf(nodesTable, next), "", next, metav1.UpdateOptions{})
	}
	return err
}
