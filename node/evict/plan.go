package evict

import (
	"fmt"
	"slices"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/klog/v2"

	"proa/node/pod"
)

// hardGrace is what a pod gets to end when a hard threshold is met, in seconds.
const hardGrace = 1

// Decider says what follows from what was measured. One goroutine uses it.
//
// A threshold goes through: not met -> met, its time of grace runs -> starving, pods are evicted -> met no longer, and not
// until what has to be reclaimed beyond it is there too. The condition of the node is true from the first moment on, and for
// Policy.Transition after the last, so that it does not swing.
type Decider struct {
	policy   Policy
	since    map[thresholdKey]time.Time // when a threshold began to be met
	starving map[thresholdKey]bool      // it was acted on, and holds until enough is reclaimed
	seen     map[v1.NodeConditionType]time.Time
}

// thresholdKey tells thresholds apart: of a signal there is a hard one and a soft one.
type thresholdKey struct {
	signal Signal
	hard   bool
}

func (t Threshold) key() thresholdKey { return thresholdKey{t.Signal, t.hard()} }

// NewDecider makes a decider that knows of no pressure.
func NewDecider(p Policy) *Decider {
	return &Decider{policy: p, since: map[thresholdKey]time.Time{}, starving: map[thresholdKey]bool{}, seen: map[v1.NodeConditionType]time.Time{}}
}

// Verdict is what the levels say.
type Verdict struct {
	Conditions []v1.NodeConditionType // that are true of the node
	Starving   *Threshold             // what has to be reclaimed for; nil: nothing
}

// Resource is what is short.
func (t Threshold) Resource() v1.ResourceName {
	meaning, _ := t.Signal.meaning()
	return meaning.resource
}

// Observe judges the levels of now.
func (d *Decider) Observe(now time.Time, levels Levels) Verdict {
	var verdict Verdict
	since, starving := map[thresholdKey]time.Time{}, map[thresholdKey]bool{}
	for _, s := range signals {
		for _, t := range d.policy.Thresholds {
			k := t.key()
			if t.Signal != s.name || !t.met(levels, d.starving[k]) {
				continue
			}
			since[k] = now
			if begun, known := d.since[k]; known {
				since[k] = begun
			}
			d.seen[s.condition] = now
			if now.Sub(since[k]) < t.Grace {
				continue
			}
			starving[k] = true
			if verdict.Starving == nil {
				verdict.Starving = &t
			}
		}
	}
	d.since, d.starving = since, starving
	for _, condition := range []v1.NodeConditionType{v1.NodeMemoryPressure, v1.NodeDiskPressure, v1.NodePIDPressure} {
		if at, ok := d.seen[condition]; ok && (now.Equal(at) || now.Sub(at) < d.policy.Transition) {
			verdict.Conditions = append(verdict.Conditions, condition)
		}
	}
	return verdict
}

// Relieved says whether no threshold is met any more, with what has to be reclaimed beyond: no pod has to go.
func (d *Decider) Relieved(levels Levels) bool {
	return !slices.ContainsFunc(d.policy.Thresholds, func(t Threshold) bool { return t.met(levels, true) })
}

// Choose names the pod that ends for a threshold, or nil: pods that the node itself needs stay.
func (d *Decider) Choose(t Threshold, levels Levels, all []Usage, imagesApart bool) *Eviction {
	for _, u := range rank(all, t.Signal, imagesApart) {
		if Critical(u.Pod) {
			continue
		}
		e := &Eviction{Pod: u.Pod, Message: d.message(t, levels, &u), Grace: hardGrace, Disrupted: true}
		if !t.hard() {
			e.Grace = d.policy.MaxPodGrace
			if own := u.Pod.Spec.TerminationGracePeriodSeconds; own != nil {
				e.Grace = min(e.Grace, *own)
			}
		}
		return e
	}
	return nil
}

// Critical says whether the node, or the cluster, cannot do without a pod.
func Critical(p *v1.Pod) bool {
	return pod.IsStatic(p) || corev1.PodPriority(p) >= pod.SystemCritical
}

// Admit says whether a pod must not start while the conditions are true; the reason is shown in its status.
func Admit(p *v1.Pod, conditions []v1.NodeConditionType) *pod.Refused {
	if len(conditions) == 0 || Critical(p) {
		return nil
	}
	if len(conditions) == 1 && conditions[0] == v1.NodeMemoryPressure {
		taint := &v1.Taint{Key: v1.TaintNodeMemoryPressure, Effect: v1.TaintEffectNoSchedule}
		tolerates := slices.ContainsFunc(p.Spec.Tolerations, func(t v1.Toleration) bool { return t.ToleratesTaint(klog.Background(), taint, true) })
		if pod.QOSClass(p) != v1.PodQOSBestEffort || tolerates {
			return nil
		}
	}
	return &pod.Refused{Reason: Reason, Message: fmt.Sprintf("The node had condition: %v. ", conditions)}
}
