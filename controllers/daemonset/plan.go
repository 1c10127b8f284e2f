package daemonset

import (
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"proa/reconcile/podstate"
)

// burst bounds the pods that one run creates or deletes.
const burst = 250

const hashLabel = appsv1.DefaultDaemonSetUniqueLabelKey

// snapshot is what a decision is made of.
type snapshot struct {
	set       *appsv1.DaemonSet
	nodes     []*corev1.Node
	pods      []*corev1.Pod                // the set's
	revisions []*appsv1.ControllerRevision // the set's
	// named are revisions by name, whoever owns them: names may be taken.
	named map[string]*appsv1.ControllerRevision
	// patience is how long failed pods of a node are left alone for now.
	patience func(node string) time.Duration
	now      time.Time
}

// plan is what a decision leads to, in the order in which it is carried out.
type plan struct {
	// collided: the name of the new revision is another one's. The count of collisions is raised, and nothing else done.
	collided bool

	create  *appsv1.ControllerRevision   // the current revision, if it is new
	update  []*appsv1.ControllerRevision // copies, changed
	relabel []*corev1.Pod                // to be pods of the current revision: theirs is removed for being equal to it
	remove  []*appsv1.ControllerRevision // equal to the current one

	events  []event
	failed  []string      // nodes whose failed pods go now
	start   []*corev1.Pod // to create
	stop    []*corev1.Pod // to delete
	forget  []*appsv1.ControllerRevision
	pending time.Duration // when there is more to do although nothing changes; 0: never
}

// event tells the user of something that is no write.
type event struct{ kind, reason, message string }

// rollout is a decision in the making.
type rollout struct {
	snapshot
	plan
	template *template
	hash     string // of the current revision
	byNode   map[string][]*corev1.Pod
}

// decide says what to do for a daemon set that is not being deleted.
func decide(s snapshot) (*rollout, error) {
	r := &rollout{snapshot: s, template: newTemplate(s.set), byNode: podsByNode(s.pods)}
	old, err := r.syncRevisions()
	if err != nil || r.collided {
		return r, err
	}
	r.manage()
	if len(r.start)+len(r.stop) == 0 && s.set.Spec.UpdateStrategy.Type == appsv1.RollingUpdateDaemonSetStrategyType {
		r.rollingUpdate()
	}
	r.start = r.start[:min(len(r.start), burst)]
	r.stop = r.stop[:min(len(r.stop), burst)]
	r.trimHistory(old)
	r.wakeAfter(podstate.NextCheck(s.pods, s.set.Spec.MinReadySeconds, s.now))
	return r, nil
}

// wakeAfter has the daemon set looked at again after d, if that is above 0.
func (r *rollout) wakeAfter(d time.Duration) {
	if d > 0 && (r.pending == 0 || d < r.pending) {
		r.pending = d
	}
}

// place creates a pod on a node.
func (r *rollout) place(node string) {
	r.start = append(r.start, r.template.pod(r.set, node, r.hash))
}

func (r *rollout) drop(pods ...*corev1.Pod) { r.stop = append(r.stop, pods...) }

// podsByNode lists pods by the node they are on or meant for, without those that have ended and are going.
func podsByNode(pods []*corev1.Pod) map[string][]*corev1.Pod {
	byNode := map[string][]*corev1.Pod{}
	for _, pod := range pods {
		if podstate.Terminal(pod) && pod.DeletionTimestamp != nil {
			continue
		}
		if node := nodeOf(pod); node != "" {
			byNode[node] = append(byNode[node], pod)
		}
	}
	return byNode
}

// updated says whether a pod is of the current template. Pods of old clusters say so by a count.
func (r *rollout) updated(pod *corev1.Pod) bool {
	if pod.Labels[hashLabel] == r.hash {
		return true
	}
	generation, ok := templateGeneration(r.set)
	return ok && pod.Labels[generationLabel] == strconv.FormatInt(generation, 10)
}

func (r *rollout) available(pod *corev1.Pod) bool {
	return podstate.Available(pod, r.set.Spec.MinReadySeconds, r.now)
}
