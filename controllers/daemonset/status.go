package daemonset

import (
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"proa/reconcile/podstate"
)

// status counts nodes; changed is false when the status is as stored. A node counts by its oldest pod.
func (r *rollout) status() (next appsv1.DaemonSetStatus, changed bool) {
	next = appsv1.DaemonSetStatus{
		ObservedGeneration: r.set.Generation,
		CollisionCount:     r.set.Status.CollisionCount,
		Conditions:         r.set.Status.Conditions,
	}
	for _, node := range r.nodes {
		start, _ := r.template.fits(node)
		pods := oldestFirst(r.byNode[node.Name])
		if !start {
			if len(pods) > 0 {
				next.NumberMisscheduled++
			}
			continue
		}
		next.DesiredNumberScheduled++
		if len(pods) == 0 {
			continue
		}
		next.CurrentNumberScheduled++
		if podstate.Ready(pods[0]) {
			next.NumberReady++
		}
		if r.available(pods[0]) {
			next.NumberAvailable++
		}
		if r.updated(pods[0]) {
			next.UpdatedNumberScheduled++
		}
	}
	next.NumberUnavailable = next.DesiredNumberScheduled - next.NumberAvailable
	return next, !equality.Semantic.DeepEqual(next, r.set.Status)
}
