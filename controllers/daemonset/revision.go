package daemonset

import (
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"proa/reconcile/history"
	"proa/reconcile/podcontrol"
)

// syncRevisions finds or makes the revision of the current template, gives it the highest number, and returns the others,
// the oldest first. kubectl rollout undo writes an earlier template into the set: its revision becomes the current one again.
func (r *rollout) syncRevisions() (old []*appsv1.ControllerRevision, err error) {
	data, err := history.Data(&r.set.Spec.Template)
	if err != nil {
		return nil, err
	}
	equal, old := history.Split(r.revisions, data)
	number := history.Next(old)
	if len(equal) == 0 {
		r.newRevision(data, number)
		return old, nil
	}
	current := equal[len(equal)-1]
	r.hash = uniqueLabel(current)
	r.merge(equal[:len(equal)-1])
	for _, revision := range append(old, current) {
		next := revision.DeepCopy()
		if next.Labels == nil {
			next.Labels = map[string]string{}
		}
		next.Labels[hashLabel] = uniqueLabel(revision)
		if revision == current {
			next.Revision = max(current.Revision, number)
		}
		if revision.Labels[hashLabel] != next.Labels[hashLabel] || revision.Revision != next.Revision {
			r.update = append(r.update, next)
		}
	}
	return old, nil
}

// uniqueLabel is what pods of a revision are labelled with: revisions of old clusters lack the label, but have a name.
func uniqueLabel(revision *appsv1.ControllerRevision) string {
	if hash, ok := revision.Labels[hashLabel]; ok {
		return hash
	}
	return revision.Name
}

// merge removes revisions that are equal to the current one; their pods become the current one's.
func (r *rollout) merge(duplicates []*appsv1.ControllerRevision) {
	if len(duplicates) == 0 {
		return
	}
	r.remove = duplicates
	for _, pod := range r.pods {
		if pod.Labels[hashLabel] != r.hash {
			r.relabel = append(r.relabel, pod)
		}
	}
}

// newRevision makes the revision of a new template, unless its name is taken.
func (r *rollout) newRevision(data []byte, number int64) {
	r.hash = podcontrol.TemplateHash(&r.set.Spec.Template, r.set.Status.CollisionCount)
	name := r.set.Name + "-" + r.hash
	if taken := r.named[name]; taken != nil {
		r.collided = !history.Equal(taken, data)
		return
	}
	labels := maps.Clone(r.set.Spec.Template.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[hashLabel] = r.hash
	r.create = &appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       r.set.Namespace,
			Name:            name,
			Labels:          labels,
			Annotations:     maps.Clone(r.set.Annotations),
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(r.set, kind)},
		},
		Data:     runtime.RawExtension{Raw: data},
		Revision: number,
	}
}

// trimHistory forgets the oldest revisions that are beyond the limit and that no pod has.
func (r *rollout) trimHistory(old []*appsv1.ControllerRevision) {
	if r.set.Spec.RevisionHistoryLimit == nil {
		return
	}
	live := map[string]bool{}
	for _, pod := range r.pods {
		live[pod.Labels[hashLabel]] = true
	}
	excess := len(old) - int(*r.set.Spec.RevisionHistoryLimit)
	for _, revision := range old {
		if excess > 0 && !live[uniqueLabel(revision)] {
			r.forget = append(r.forget, revision)
			excess--
		}
	}
}
