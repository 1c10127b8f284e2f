package deployment

import (
	appsv1 "k8s.io/api/apps/v1"

	"proa/reconcile/podstate"
)

// roll takes one step of a rolling update: up, else down, else tidying.
func (r *rollout) roll() (collided bool) {
	if r.ensureNew() {
		return true
	}
	if r.create || r.rollUp() || r.rollDown() {
		return false
	}
	if complete(r.d, &r.d.Status) {
		r.trimHistory()
	}
	return false
}

func (r *rollout) rollUp() (scaled bool) {
	want := *r.d.Spec.Replicas
	if *r.new.Spec.Replicas > want {
		return r.resize(r.new, want)
	}
	return r.resize(r.new, r.newReplicas())
}

// rollDown takes pods from the old replica sets: first those that are not available anyway, then as many as availability
// allows. New pods that are not available yet count against what may be removed.
func (r *rollout) rollDown() (scaled bool) {
	if desired(r.old) == 0 {
		return false
	}
	minAvailable := *r.d.Spec.Replicas - maxUnavailable(r.d)
	newUnavailable := *r.new.Spec.Replicas - r.new.Status.AvailableReplicas
	removable := desired(r.all()) - minAvailable - newUnavailable
	if removable <= 0 {
		return false
	}
	removed := r.removeUnhealthy(removable)
	return r.removeAvailable(minAvailable)+removed > 0
}

func (r *rollout) removeUnhealthy(most int32) (removed int32) {
	for _, rs := range byAge(active(r.old)) {
		if removed >= most {
			break
		}
		unhealthy := *rs.Spec.Replicas - rs.Status.AvailableReplicas
		count := min(most-removed, unhealthy)
		if count <= 0 {
			continue
		}
		r.resize(rs, *rs.Spec.Replicas-count)
		removed += count
	}
	return removed
}

func (r *rollout) removeAvailable(minAvailable int32) (removed int32) {
	most := available(r.all()) - minAvailable
	for _, rs := range byAge(active(r.old)) {
		if removed >= most {
			break
		}
		count := min(*rs.Spec.Replicas, most-removed)
		r.resize(rs, *rs.Spec.Replicas-count)
		removed += count
	}
	return removed
}

func available(list []*appsv1.ReplicaSet) (sum int32) {
	for _, rs := range list {
		sum += rs.Status.AvailableReplicas
	}
	return sum
}

// recreate takes one step of replacing everything: the old ones down, then, when their pods have ended, the new one up.
func (r *rollout) recreate() (collided bool) {
	scaled := false
	for _, rs := range active(r.old) {
		scaled = r.resize(rs, 0) || scaled
	}
	if scaled || r.oldPodsRun() {
		return false
	}
	if r.ensureNew() {
		return true
	}
	r.resize(r.new, *r.d.Spec.Replicas)
	if complete(r.d, &r.d.Status) {
		r.trimHistory()
	}
	return false
}

func (r *rollout) oldPodsRun() bool {
	for _, rs := range r.old {
		if rs.Status.Replicas > 0 {
			return true
		}
		for _, pod := range r.pods[rs.UID] {
			if !podstate.Terminal(pod) {
				return true
			}
		}
	}
	return false
}
