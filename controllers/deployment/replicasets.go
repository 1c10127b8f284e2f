package deployment

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"proa/reconcile/podcontrol"
)

const hashLabel = appsv1.DefaultDeploymentUniqueLabelKey

// sameTemplate compares templates without the hash label, which a deployment's own lacks.
func sameTemplate(a, b *corev1.PodTemplateSpec) bool {
	if !maps.Equal(withoutHash(a.Labels), withoutHash(b.Labels)) || !equality.Semantic.DeepEqual(a.Spec, b.Spec) {
		return false
	}
	am, bm := a.ObjectMeta, b.ObjectMeta
	am.Labels, bm.Labels = nil, nil
	return equality.Semantic.DeepEqual(am, bm)
}

func withoutHash(labels map[string]string) map[string]string {
	if _, ok := labels[hashLabel]; !ok {
		return labels
	}
	labels = maps.Clone(labels)
	delete(labels, hashLabel)
	return labels
}

func replicaSetName(deployment, hash string) string {
	if most := validation.DNS1123SubdomainMaxLength - 1 - len(hash); len(deployment) > most {
		deployment = deployment[:most]
	}
	return deployment + "-" + hash
}

// ensureNew makes the new replica set if there is none yet. It says whether its name is taken by another one: then the
// collision count has been raised, and with it the next hash and name are others.
func (r *rollout) ensureNew() (collided bool) {
	if r.new != nil {
		return false
	}
	hash := podcontrol.TemplateHash(&r.d.Spec.Template, r.d.Status.CollisionCount)
	if r.named[replicaSetName(r.d.Name, hash)] != nil {
		count := int32(1)
		if r.d.Status.CollisionCount != nil {
			count = *r.d.Status.CollisionCount + 1
		}
		r.d.Status.CollisionCount = &count
		return true
	}
	rs := r.makeReplicaSet(hash)
	r.new, r.create = rs, true
	count := r.newReplicas()
	rs.Spec.Replicas = &count
	revision := newestRevision(r.old) + 1
	annotate(r.d, rs, revision)
	r.noteReplicas(rs)
	r.setRevision(rs)
	r.setCondition(&r.d.Status, appsv1.DeploymentProgressing, corev1.ConditionTrue,
		"NewReplicaSetCreated", fmt.Sprintf("Created new replica set %q", rs.Name))
	if !hasDeadline(r.d) {
		removeCondition(&r.d.Status, appsv1.DeploymentProgressing)
	}
	return false
}

func (r *rollout) makeReplicaSet(hash string) *appsv1.ReplicaSet {
	template := r.d.Spec.Template.DeepCopy()
	template.Labels = maps.Clone(template.Labels)
	if template.Labels == nil {
		template.Labels = map[string]string{}
	}
	template.Labels[hashLabel] = hash
	return &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       r.d.Namespace,
			Name:            replicaSetName(r.d.Name, hash),
			Labels:          maps.Clone(template.Labels),
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(r.d, kind)},
		},
		Spec: appsv1.ReplicaSetSpec{
			Replicas:        new(int32),
			MinReadySeconds: r.d.Spec.MinReadySeconds,
			Selector:        metav1.CloneSelectorAndAddLabel(r.d.Spec.Selector, hashLabel, hash),
			Template:        *template,
		},
	}
}

// newReplicas is how many replicas the new replica set may have now.
func (r *rollout) newReplicas() int32 {
	want, have := *r.d.Spec.Replicas, *r.new.Spec.Replicas
	if r.d.Spec.Strategy.Type != appsv1.RollingUpdateDeploymentStrategyType {
		return want
	}
	room := want + maxSurge(r.d) - desired(r.all())
	if room <= 0 {
		return have
	}
	return have + min(room, want-have)
}

// trimHistory removes the oldest of the old replica sets that are beyond the limit and empty.
func (r *rollout) trimHistory() {
	limit := r.d.Spec.RevisionHistoryLimit
	if limit == nil || *limit == unlimited {
		return
	}
	candidates := slices.DeleteFunc(slices.Clone(r.old), func(rs *appsv1.ReplicaSet) bool { return rs.DeletionTimestamp != nil })
	slices.SortStableFunc(candidates, func(a, b *appsv1.ReplicaSet) int {
		return cmp.Or(cmp.Compare(revisionOf(a), revisionOf(b)), compareAge(a, b))
	})
	for i := 0; i < len(candidates)-int(*limit); i++ {
		rs := candidates[i]
		if rs.Status.Replicas == 0 && *rs.Spec.Replicas == 0 && rs.Generation <= rs.Status.ObservedGeneration {
			r.remove = append(r.remove, rs)
		}
	}
}

func compareAge(a, b *appsv1.ReplicaSet) int {
	return cmp.Or(a.CreationTimestamp.Time.Compare(b.CreationTimestamp.Time), strings.Compare(a.Name, b.Name))
}

// byAge lists replica sets, the oldest first.
func byAge(list []*appsv1.ReplicaSet) []*appsv1.ReplicaSet {
	list = slices.Clone(list)
	slices.SortStableFunc(list, compareAge)
	return list
}

// desired sums what replica sets are asked for.
func desired(list []*appsv1.ReplicaSet) (sum int32) {
	for _, rs := range list {
		sum += *rs.Spec.Replicas
	}
	return sum
}

// active are the replica sets that are asked for pods.
func active(list []*appsv1.ReplicaSet) []*appsv1.ReplicaSet {
	return slices.DeleteFunc(slices.Clone(list), func(rs *appsv1.ReplicaSet) bool { return *rs.Spec.Replicas == 0 })
}
