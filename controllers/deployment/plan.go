package deployment

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// snapshot is everything that a decision is made from.
type snapshot struct {
	deployment  *appsv1.Deployment
	replicaSets []*appsv1.ReplicaSet          // the deployment's
	pods        map[types.UID][]*corev1.Pod   // of these replica sets; only for the Recreate strategy
	named       map[string]*appsv1.ReplicaSet // every replica set of the namespace that has the deployment's name as prefix
	now         time.Time
}

// plan is what to do, in the order of its fields.
type plan struct {
	selectsAll bool                 // tell the user that the selector is empty, and do nothing else
	create     *appsv1.ReplicaSet   // a new one
	update     []*appsv1.ReplicaSet // with new replicas or annotations
	from       map[string]int32     // the replicas that those in update had
	remove     []*appsv1.ReplicaSet // beyond the history limit
	deployment *appsv1.Deployment   // with a new status or revision; nil if they are as stored
	after      time.Duration        // look again, for the progress deadline
}

// rollout is a decision being made: working copies of the deployment and its replica sets.
type rollout struct {
	snapshot
	d      *appsv1.Deployment
	new    *appsv1.ReplicaSet // has the deployment's template; nil if there is none
	old    []*appsv1.ReplicaSet
	create bool // new is not stored yet
	remove []*appsv1.ReplicaSet
}

// decide compares a deployment with its replica sets.
func decide(s snapshot) plan {
	r := newRollout(s)
	d := r.d
	if equality.Semantic.DeepEqual(d.Spec.Selector, &metav1.LabelSelector{}) {
		d.Status.ObservedGeneration = max(d.Status.ObservedGeneration, d.Generation)
		p := r.plan()
		p.selectsAll = true
		return p
	}
	if d.DeletionTimestamp != nil {
		r.syncRevision()
		d.Status = r.status()
		return r.plan()
	}
	r.pause()
	r.syncRevision()
	switch {
	case d.Spec.Paused:
		r.scale()
		r.trimHistory()
		d.Status = r.status()
	case r.beingScaled():
		r.scale()
		d.Status = r.status()
	case d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType:
		return r.progress(r.recreate())
	default:
		return r.progress(r.roll())
	}
	return r.plan()
}

func newRollout(s snapshot) *rollout {
	r := &rollout{snapshot: s, d: s.deployment.DeepCopy()}
	for _, rs := range byAge(s.replicaSets) {
		rs = rs.DeepCopy()
		if r.new == nil && sameTemplate(&rs.Spec.Template, &s.deployment.Spec.Template) {
			r.new = rs // of several the oldest, as upstream chooses
			continue
		}
		r.old = append(r.old, rs)
	}
	return r
}

// all are the replica sets, the new one last.
func (r *rollout) all() []*appsv1.ReplicaSet {
	all := append([]*appsv1.ReplicaSet(nil), r.old...)
	if r.new != nil {
		all = append(all, r.new)
	}
	return all
}

// progress ends a step of a rollout: the status, with what it says of progress. A collision of names ends it early.
func (r *rollout) progress(collided bool) plan {
	if collided {
		return r.plan()
	}
	before := r.d.DeepCopy()
	r.d.Status = r.rolloutStatus()
	p := r.plan()
	if p.deployment == nil {
		p.after = r.deadlineIn(before)
	}
	return p
}

// plan lists how the working copies differ from what is stored.
func (r *rollout) plan() plan {
	p := plan{remove: r.remove, from: map[string]int32{}}
	stored := map[types.UID]*appsv1.ReplicaSet{}
	for _, rs := range r.replicaSets {
		stored[rs.UID] = rs
	}
	for _, rs := range r.all() {
		was := stored[rs.UID]
		switch {
		case r.create && rs == r.new:
			p.create = rs
		case !equality.Semantic.DeepEqual(rs, was):
			p.update = append(p.update, rs)
			p.from[rs.Name] = *was.Spec.Replicas
		}
	}
	sameRevision := r.d.Annotations[revisionAnnotation] == r.deployment.Annotations[revisionAnnotation]
	if !sameRevision || !equality.Semantic.DeepEqual(r.d.Status, r.deployment.Status) {
		p.deployment = r.d
	}
	return p
}

// time is now as the API stores it.
func (r *rollout) time() metav1.Time { return metav1.NewTime(r.now.Truncate(time.Second)) }
