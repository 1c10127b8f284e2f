package statefulset

import (
	"cmp"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"proa/reconcile/podstate"
)

// snapshot is what a decision is made of.
type snapshot struct {
	set       *appsv1.StatefulSet
	pods      []*corev1.Pod                // the set's
	revisions []*appsv1.ControllerRevision // the set's
	// named are revisions by name, whoever owns them: names may be taken.
	named map[string]*appsv1.ControllerRevision
	// claims are claims by name that may be of the set's pods, whoever owns them.
	claims map[string]*corev1.PersistentVolumeClaim
	now    time.Time
}

// verb is what is done with a pod.
type verb uint8

const (
	create verb = iota + 1
	update
	remove
	keep // only its claims change
)

type action struct {
	verb   verb
	pod    *corev1.Pod                     // remove, keep: as it is; else as it is to be
	claims []*corev1.PersistentVolumeClaim // as they are to be; new ones have no resourceVersion
}

// plan is what a decision leads to, in the order in which it is carried out.
type plan struct {
	added      *appsv1.ControllerRevision // the target revision, if it is new
	renumbered *appsv1.ControllerRevision // the target revision, if it was known and is the newest again
	actions    []action
	forget     []*appsv1.ControllerRevision
}

// rollout is a decision in the making.
type rollout struct {
	snapshot
	plan
	collisions      int32
	current, target *appsv1.ControllerRevision
	currentTemplate *corev1.PodTemplateSpec
	targetTemplate  *corev1.PodTemplateSpec

	replicas  []*corev1.Pod // by ordinal, from the first; those that do not exist as they are to be
	condemned []*corev1.Pod // pods beyond the last ordinal, or before the first; the highest first
}

// decide says what to do for a stateful set that is not being deleted.
func decide(s snapshot) (*rollout, error) {
	r := &rollout{snapshot: s}
	if err := r.syncRevisions(); err != nil {
		return nil, err
	}
	r.sortPods()
	if r.keepReplicas() && r.scaleDown() {
		r.rollingUpdate()
	}
	r.trimHistory()
	return r, nil
}

// ordered says that pods come and go one after the other.
func (r *rollout) ordered() bool {
	return r.set.Spec.PodManagementPolicy != appsv1.ParallelPodManagement
}

func (r *rollout) do(v verb, pod *corev1.Pod, claims ...*corev1.PersistentVolumeClaim) {
	r.actions = append(r.actions, action{v, pod, claims})
}

// sortPods gives every pod its place.
func (r *rollout) sortPods() {
	start, count := startOf(r.set), int(*r.set.Spec.Replicas)
	r.replicas = make([]*corev1.Pod, count)
	for _, pod := range r.pods {
		_, ordinal, _ := ordinalOf(pod)
		if ordinal >= start && ordinal < start+count {
			r.replicas[ordinal-start] = pod
		} else {
			r.condemned = append(r.condemned, pod)
		}
	}
	for i, pod := range r.replicas {
		if pod == nil {
			r.replicas[i] = r.versioned(start + i)
		}
	}
	slices.SortFunc(r.condemned, func(a, b *corev1.Pod) int {
		_, i, _ := ordinalOf(a)
		_, j, _ := ordinalOf(b)
		return cmp.Compare(j, i)
	})
}

// versioned makes the pod of an ordinal: of the template that pods come from where the update has not come to yet.
func (r *rollout) versioned(ordinal int) *corev1.Pod {
	strategy := r.set.Spec.UpdateStrategy
	if strategy.Type == appsv1.RollingUpdateStatefulSetStrategyType {
		kept := int(r.set.Status.CurrentReplicas)
		if strategy.RollingUpdate != nil {
			kept = r.partition()
		}
		if ordinal < startOf(r.set)+kept {
			return newPod(r.set, r.currentTemplate, r.current.Name, ordinal)
		}
	}
	return newPod(r.set, r.targetTemplate, r.target.Name, ordinal)
}

// partition is how many pods, from the first, an update leaves alone.
func (r *rollout) partition() int {
	rolling := r.set.Spec.UpdateStrategy.RollingUpdate
	if rolling == nil || rolling.Partition == nil {
		return 0
	}
	return int(*rolling.Partition)
}

// exists says whether the API has the pod, or it is one of those that decide made.
func exists(pod *corev1.Pod) bool { return pod.UID != "" }

func revisionOf(pod *corev1.Pod) string { return pod.Labels[appsv1.StatefulSetRevisionLabel] }

func runningAndReady(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodRunning && podstate.Ready(pod)
}

func (r *rollout) available(pod *corev1.Pod) bool {
	return podstate.Available(pod, r.set.Spec.MinReadySeconds, r.now)
}

// unavailable says whether the pod does not work, or soon will not.
func (r *rollout) unavailable(pod *corev1.Pod) bool {
	return !r.available(pod) || pod.DeletionTimestamp != nil
}
