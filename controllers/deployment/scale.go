package deployment

import (
	"math"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// unlimited is the value by which users switch off limits and deadlines.
const unlimited = math.MaxInt32

// fenceposts resolve maxSurge (rounded up) and maxUnavailable (rounded down); they are never both 0, for nothing could
// move then.
func fenceposts(d *appsv1.Deployment) (surge, unavailable int32) {
	rolling := d.Spec.Strategy.RollingUpdate
	if d.Spec.Strategy.Type != appsv1.RollingUpdateDeploymentStrategyType || rolling == nil {
		return 0, 0
	}
	s, _ := scaled(rolling.MaxSurge, *d.Spec.Replicas, true)
	u, _ := scaled(rolling.MaxUnavailable, *d.Spec.Replicas, false)
	if s == 0 && u == 0 {
		u = 1
	}
	return s, u
}

func scaled(value *intstr.IntOrString, total int32, up bool) (int32, error) {
	if value == nil {
		return 0, nil
	}
	n, err := intstr.GetScaledValueFromIntOrPercent(value, int(total), up)
	return int32(n), err
}

func maxSurge(d *appsv1.Deployment) int32 {
	surge, _ := fenceposts(d)
	return surge
}

func maxUnavailable(d *appsv1.Deployment) int32 {
	_, unavailable := fenceposts(d)
	return min(unavailable, *d.Spec.Replicas)
}

// resize asks a replica set for another number of pods.
func (r *rollout) resize(rs *appsv1.ReplicaSet, replicas int32) (changed bool) {
	if *rs.Spec.Replicas == replicas {
		return false
	}
	*rs.Spec.Replicas = replicas
	r.noteReplicas(rs)
	return true
}

// beingScaled says whether the deployment's size was changed since its active replica sets were last sized.
func (r *rollout) beingScaled() bool {
	for _, rs := range active(r.all()) {
		if count, ok := noted(rs, desiredAnnotation); ok && count != *r.d.Spec.Replicas {
			return true
		}
	}
	return false
}

// scale follows a change of the deployment's size: the only active replica set takes all of it; in the middle of a
// rollout each active one takes its share.
func (r *rollout) scale() {
	if only := r.activeOrLatest(); only != nil {
		r.resize(only, *r.d.Spec.Replicas)
		return
	}
	switch {
	case r.saturated():
		for _, rs := range active(r.old) {
			r.resize(rs, 0)
		}
	case r.d.Spec.Strategy.Type == appsv1.RollingUpdateDeploymentStrategyType:
		r.scaleProportionally()
	}
}

// activeOrLatest is the only active replica set, or if none is active the new or else the latest one; nil if several are
// active or there is none at all.
func (r *rollout) activeOrLatest() *appsv1.ReplicaSet {
	list := active(r.all())
	switch {
	case len(list) == 1:
		return list[0]
	case len(list) > 1:
		return nil
	case r.new != nil:
		return r.new
	case len(r.old) > 0:
		return byAge(r.old)[len(r.old)-1]
	}
	return nil
}

// saturated says whether the new replica set is all that the deployment asks for.
func (r *rollout) saturated() bool {
	if r.new == nil {
		return false
	}
	want := *r.d.Spec.Replicas
	count, ok := noted(r.new, desiredAnnotation)
	return ok && count == want && *r.new.Spec.Replicas == want && r.new.Status.AvailableReplicas == want
}

// scaleProportionally shares out what is to be added or removed, in proportion to the sizes; what rounding leaves goes to
// the largest. Of equal sizes the newer one comes first to grow, the older one first to shrink.
func (r *rollout) scaleProportionally() {
	list := active(r.all())
	allowed := int32(0)
	if *r.d.Spec.Replicas > 0 {
		allowed = *r.d.Spec.Replicas + maxSurge(r.d)
	}
	toAdd := allowed - desired(list)
	slices.SortStableFunc(list, func(a, b *appsv1.ReplicaSet) int {
		if *a.Spec.Replicas != *b.Spec.Replicas {
			return int(*b.Spec.Replicas - *a.Spec.Replicas)
		}
		if toAdd > 0 {
			return compareAge(b, a)
		}
		return compareAge(a, b)
	})
	sizes := make([]int32, len(list))
	added := int32(0)
	for i, rs := range list {
		share := r.share(rs, toAdd, toAdd-added)
		sizes[i] = *rs.Spec.Replicas + share
		added += share
	}
	for i, rs := range list {
		if i == 0 {
			sizes[0] = max(0, sizes[0]+toAdd-added)
		}
		*rs.Spec.Replicas = sizes[i]
		r.noteReplicas(rs) // also when the size stays, or the deployment would count as being scaled forever
	}
}

// share is the part of a change of toAdd replicas that falls to one replica set, at most what is left of it.
func (r *rollout) share(rs *appsv1.ReplicaSet, toAdd, left int32) int32 {
	if toAdd == 0 || left == 0 {
		return 0
	}
	fraction := r.fraction(rs)
	if toAdd > 0 {
		return min(fraction, left)
	}
	return max(fraction, left)
}

func (r *rollout) fraction(rs *appsv1.ReplicaSet) int32 {
	size := *rs.Spec.Replicas
	if *r.d.Spec.Replicas == 0 {
		return -size
	}
	before, ok := noted(rs, maximumAnnotation)
	if !ok || before == 0 {
		before = r.d.Status.Replicas
	}
	if before == 0 {
		return 0
	}
	now := *r.d.Spec.Replicas + maxSurge(r.d)
	return int32(math.Round(float64(size*now)/float64(before))) - size
}
