package statefulset

import (
	"fmt"
	"hash/fnv"
	"maps"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/rand"

	"proa/kinds/podspec"
	"proa/reconcile/history"
)

// hashLabel is the label of a revision with the hash of its data.
const hashLabel = "controller.kubernetes.io/hash"

// maxNamePrefix leaves room for the hash in a revision's name.
const maxNamePrefix = 223

// syncRevisions finds or makes the revision of the set's template, which pods move to (target), and the one that they
// come from (current).
func (r *rollout) syncRevisions() error {
	data, err := history.Data(&r.set.Spec.Template)
	if err != nil {
		return err
	}
	history.Sort(r.revisions)
	r.collisions = 0
	if r.set.Status.CollisionCount != nil {
		r.collisions = *r.set.Status.CollisionCount
	}
	r.target = r.findRevision(data)
	if r.target == nil {
		r.target = r.newRevision(data)
	}
	r.current = r.target
	for _, revision := range r.revisions {
		if revision.Name == r.set.Status.CurrentRevision {
			r.current = revision
		}
	}
	return r.readTemplates()
}

// readTemplates reads the templates that the two revisions remember.
func (r *rollout) readTemplates() (err error) {
	if r.targetTemplate, err = history.Template(r.target); err != nil {
		return fmt.Errorf("read revision %s: %w", r.target.Name, err)
	}
	if r.currentTemplate, err = history.Template(r.current); err != nil {
		return fmt.Errorf("read revision %s: %w", r.current.Name, err)
	}
	return nil
}

// findRevision is the revision that remembers data, made the newest if it is not; nil if there is none.
func (r *rollout) findRevision(data []byte) *appsv1.ControllerRevision {
	if len(r.revisions) == 0 {
		return nil
	}
	newest := r.revisions[len(r.revisions)-1]
	equal, _ := history.Split(r.revisions, data)
	switch {
	case history.Equal(newest, data) || len(equal) == 0 && meansTheSame(newest, data):
		return newest
	case len(equal) == 0:
		return nil
	}
	revision := equal[len(equal)-1].DeepCopy()
	revision.Revision = history.Next(r.revisions)
	r.renumbered = revision
	return revision
}

// meansTheSame says whether a revision differs from data only in what is filled in today and was not when it was made: no pod
// is to be replaced for that.
func meansTheSame(revision *appsv1.ControllerRevision, data []byte) bool {
	template, err := history.Template(revision)
	if err != nil {
		return false
	}
	podspec.DefaultTemplate(template)
	filled, err := history.Data(template)
	return err == nil && string(filled) == string(data)
}

// newRevision makes the revision of a new template. Names that another template has are passed by.
func (r *rollout) newRevision(data []byte) *appsv1.ControllerRevision {
	prefix := r.set.Name[:min(len(r.set.Name), maxNamePrefix)]
	hash := hashOf(data, r.collisions)
	for taken := r.named[prefix+"-"+hash]; taken != nil; taken = r.named[prefix+"-"+hash] {
		if history.Equal(taken, data) {
			return taken
		}
		r.collisions++
		hash = hashOf(data, r.collisions)
	}
	labels := maps.Clone(r.set.Spec.Template.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[hashLabel] = hash
	r.added = &appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       r.set.Namespace,
			Name:            prefix + "-" + hash,
			Labels:          labels,
			Annotations:     maps.Clone(r.set.Annotations),
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(r.set, kind)},
		},
		Data:     runtime.RawExtension{Raw: data},
		Revision: history.Next(r.revisions),
	}
	return r.added
}

// hashOf is upstream's, so that revisions of a cluster that moves here are recognized by name.
func hashOf(data []byte, collisions int32) string {
	hash := fnv.New32()
	hash.Write(data)
	hash.Write([]byte(strconv.Itoa(int(collisions))))
	return rand.SafeEncodeString(fmt.Sprint(hash.Sum32()))
}

// trimHistory forgets the oldest revisions that are beyond the limit and that nothing has.
func (r *rollout) trimHistory() {
	limit := r.set.Spec.RevisionHistoryLimit
	if limit == nil || *limit < 0 {
		return
	}
	live := map[string]bool{r.current.Name: true, r.target.Name: true}
	for _, pod := range r.pods {
		live[revisionOf(pod)] = true
	}
	var idle []*appsv1.ControllerRevision
	for _, revision := range r.revisions {
		if !live[revision.Name] {
			idle = append(idle, revision)
		}
	}
	r.forget = idle[:max(0, len(idle)-int(*limit))]
}
