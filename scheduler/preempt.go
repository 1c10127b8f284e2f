package scheduler

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"

	"proa/scheduler/state"
)

// mostCandidates bounds on how many nodes it is tried whose pods could go.
const mostCandidates = 100

// Victims are the pods of one node that have to go for another.
type Victims struct {
	Node string
	Pods []*v1.Pod // the most important first
	// violating is how many of them a disruption budget protects.
	violating int
}

// preempt looks for the node where the least has to go so that the pod fits. candidates are the nodes where removing pods
// could help; nil when there is no such node.
func (s *Scheduler) preempt(st *state.State, p *state.Pod, candidates []*state.Node) *Victims {
	if policy := p.Pod.Spec.PreemptionPolicy; policy != nil && *policy == v1.PreemptNever {
		return nil
	}
	var best *Victims
	for _, n := range candidates[:min(len(candidates), mostCandidates)] {
		if v := s.victims(st, p, n); v != nil && (best == nil || v.better(best)) {
			best = v
		}
	}
	return best
}

// Waits says whether the pod waits for pods that have been told to go for it.
func waits(st *state.State, p *state.Pod) bool {
	node := p.Pod.Status.NominatedNodeName
	if node == "" {
		return false
	}
	for _, n := range st.Nodes() {
		if n.Node.Name != node {
			continue
		}
		for other := range n.Pods() {
			if other.Pod.DeletionTimestamp != nil && other.Priority() < p.Priority() {
				return true
			}
		}
	}
	return false
}

// victims are the least important pods of a node without which the pod fits; nil if it does not even without all that are
// less important. The state is as it was when it returns.
func (s *Scheduler) victims(st *state.State, p *state.Pod, n *state.Node) *Victims {
	var lower []*state.Pod
	for other := range n.Pods() {
		if other.Priority() < p.Priority() {
			lower = append(lower, other)
		}
	}
	if len(lower) == 0 {
		return nil
	}
	slices.SortFunc(lower, moreImportant)
	for _, other := range lower {
		st.Remove(other.Pod.UID)
	}
	gone := map[*state.Pod]bool{}
	for _, other := range lower {
		gone[other] = true
	}
	defer func() {
		for other := range gone {
			st.Place(other, n.Node.Name)
		}
	}()
	if !s.fitsNow(st, p, n) {
		return nil
	}
	v := &Victims{Node: n.Node.Name}
	protected := st.Budgets.Protected(lower)
	for _, guarded := range []bool{true, false} { // those that a budget protects are spared first
		for _, other := range lower {
			if protected[other] != guarded {
				continue
			}
			st.Place(other, n.Node.Name)
			if s.fitsNow(st, p, n) {
				delete(gone, other)
				continue
			}
			st.Remove(other.Pod.UID)
			v.Pods = append(v.Pods, other.Pod)
			if guarded {
				v.violating++
			}
		}
	}
	if len(v.Pods) == 0 { // something else changed meanwhile
		return nil
	}
	slices.SortFunc(v.Pods, func(a, b *v1.Pod) int { return moreImportant(&state.Pod{Pod: a}, &state.Pod{Pod: b}) })
	return v
}

// fitsNow asks all filters about one node, in the state as it is.
func (s *Scheduler) fitsNow(st *state.State, p *state.Pod, n *state.Node) bool {
	for i := range s.filters {
		c, nowhere := s.filters[i].For(st, p)
		if nowhere != "" {
			return false
		}
		if c != nil {
			if reasons, _ := c(n); len(reasons) > 0 {
				return false
			}
		}
	}
	return true
}

// moreImportant orders by priority, then by age.
func moreImportant(a, b *state.Pod) int {
	return cmp.Or(cmp.Compare(b.Priority(), a.Priority()), started(a.Pod).Compare(started(b.Pod)), cmp.Compare(a.Pod.Name, b.Pod.Name))
}

func started(p *v1.Pod) time.Time {
	if p.Status.StartTime == nil {
		return p.CreationTimestamp.Time
	}
	return p.Status.StartTime.Time
}

// better: fewer budgets broken, then the least important pods, then the fewest, then the youngest.
func (v *Victims) better(than *Victims) bool {
	return cmp.Or(
		cmp.Compare(v.violating, than.violating),
		cmp.Compare(priorityOf(v.Pods[0]), priorityOf(than.Pods[0])),
		cmp.Compare(v.sum(), than.sum()),
		cmp.Compare(len(v.Pods), len(than.Pods)),
		than.earliest().Compare(v.earliest()),
	) < 0
}

func priorityOf(p *v1.Pod) int32 { return (&state.Pod{Pod: p}).Priority() }

func (v *Victims) sum() (sum int64) {
	for _, p := range v.Pods {
		sum += int64(priorityOf(p)) + math.MaxInt32 + 1 // so that more pods are more, below 0 too
	}
	return sum
}

// earliest is when the first of the most important ones was started.
func (v *Victims) earliest() time.Time {
	at := started(v.Pods[0])
	for _, p := range v.Pods {
		if priorityOf(p) == priorityOf(v.Pods[0]) && started(p).Before(at) {
			at = started(p)
		}
	}
	return at
}

// unhelpful words why removing other pods does not help.
func unhelpful(nodes, hopeless int, p *state.Pod) string {
	if policy := p.Pod.Spec.PreemptionPolicy; policy != nil && *policy == v1.PreemptNever && hopeless < nodes {
		return "preemption: not eligible due to preemptionPolicy=Never."
	}
	var parts []string
	if left := nodes - hopeless; left > 0 {
		parts = append(parts, fmt.Sprintf("%d No preemption victims found for incoming pod", left))
	}
	if hopeless > 0 {
		parts = append(parts, fmt.Sprintf("%d Preemption is not helpful for scheduling", hopeless))
	}
	slices.Sort(parts)
	return fmt.Sprintf("preemption: 0/%d nodes are available: %s.", nodes, strings.Join(parts, ", "))
}
