package admit

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	quantity "k8s.io/apimachinery/pkg/api/resource"

	"proa/kinds/meta"
	"proa/kinds/quota"
	"proa/kinds/resource"
	"proa/store"
)

// quotas hold writes against the quotas of their namespace. What a write uses is added to their status in the same commit, so
// that no race and no crash can give out more than there is; the quotas' controller takes back what is deleted.
type quotas struct {
	encode func(resource.Object) ([]byte, error)
}

func (q *quotas) claimsFor(_ string, snap store.Snapshot, namespace string) bool {
	return namespace != "" && snap.Len(quota.Table, namespace) > 0
}

// mayUse says whether the write can raise what is used.
func mayUse(a *Attributes) bool {
	switch {
	case a.Namespace == "" || a.Resource.Virtual || a.Snapshot.Len(quota.Table, a.Namespace) == 0:
		return false
	case a.Operation == Create:
		return a.Subresource == ""
	case a.Operation == Update:
		return a.Is("services") || a.Resource.Table() == "pods" && a.Subresource == "resize"
	}
	return false
}

// check refuses pods that do not say what they need, where that is limited.
func (q *quotas) check(_ context.Context, a *Attributes) error {
	pod, ok := a.Object.(*corev1.Pod)
	if !ok || !mayUse(a) {
		return nil
	}
	for limit := range all[*corev1.ResourceQuota](a, quota.Table, a.Namespace) {
		if missing := quota.Missing(inForce(limit), pod); len(missing) > 0 {
			return Forbidden(a, fmt.Errorf("failed quota: %s: must specify %s", limit.Name, strings.Join(missing, "; ")))
		}
	}
	return nil
}

// inForce is a quota as it holds. Like upstream, what its controller has not taken from the spec to the status limits nothing:
// who makes a quota and what is under it at once is not refused.
func inForce(limit *corev1.ResourceQuota) *corev1.ResourceQuota {
	held := *limit
	held.Spec.Hard = limit.Status.Hard
	return &held
}

func (q *quotas) claim(_ context.Context, a *Attributes) ([]store.Op, error) {
	if !mayUse(a) {
		return nil, nil
	}
	var ops []store.Op
	for item := range a.Snapshot.List(quota.Table, a.Namespace, store.Key{}) {
		limit, ok := item.Value().(*corev1.ResourceQuota)
		if !ok || !quota.Concerns(inForce(limit), a.Resource.Table()) {
			continue
		}
		next, err := charge(a, limit)
		if err != nil {
			return nil, err
		}
		if next == nil {
			continue
		}
		data, err := q.encode(next)
		if err != nil {
			return nil, fmt.Errorf("encode quota %s: %w", limit.Name, err)
		}
		ops = append(ops, store.Op{Key: item.Key, Expect: item.Revision, Data: data})
	}
	return ops, nil
}

// charge is the quota with what the write uses more; nil if that is nothing.
func charge(a *Attributes, limit *corev1.ResourceQuota) (*corev1.ResourceQuota, error) {
	held := inForce(limit)
	more := quota.Usage(held, a.Resource.Table(), a.Object, a.Now)
	if a.Old != nil {
		for name, was := range quota.Usage(held, a.Resource.Table(), a.Old, a.Now) {
			now := more[name]
			now.Sub(was)
			more[name] = now
		}
	}
	for name, q := range more {
		if q.Sign() <= 0 {
			delete(more, name)
		}
	}
	if len(more) == 0 {
		return nil, nil
	}
	var unknown, exceeded []corev1.ResourceName
	used := limit.Status.Used.DeepCopy()
	for _, name := range meta.Sorted(more) {
		hard := held.Spec.Hard[name]
		sum, counted := used[name]
		if !counted {
			unknown = append(unknown, name)
			continue
		}
		sum.Add(more[name])
		if sum.Cmp(hard) > 0 {
			exceeded = append(exceeded, name)
		}
		used[name] = sum
	}
	switch {
	case len(unknown) > 0:
		return nil, Forbidden(a, fmt.Errorf("status unknown for quota: %s, resources: %s", limit.Name, names(unknown)))
	case len(exceeded) > 0:
		return nil, Forbidden(a, fmt.Errorf("exceeded quota: %s, requested: %s, used: %s, limited: %s", limit.Name,
			amounts(exceeded, more), amounts(exceeded, limit.Status.Used), amounts(exceeded, limit.Status.Hard)))
	case equality.Semantic.DeepEqual(used, limit.Status.Used):
		return nil, nil
	}
	next := limit.DeepCopy()
	next.Status.Used = used
	return next, nil
}

func names(list []corev1.ResourceName) string {
	texts := make([]string, len(list))
	for i, name := range list {
		texts[i] = string(name)
	}
	return strings.Join(texts, ",")
}

func amounts(list []corev1.ResourceName, of map[corev1.ResourceName]quantity.Quantity) string {
	texts := make([]string, len(list))
	for i, name := range list {
		q := of[name]
		texts[i] = string(name) + "=" + q.String()
	}
	return strings.Join(texts, ",")
}
