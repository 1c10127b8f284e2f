// Package scheduler decides which node a pod runs on: from a state and a pod to a placement, or to the reason for every
// node that cannot take it. It is pure; package loop follows the API, asks it, and binds.
//
// Every node is filtered until enough can take the pod; those are scored and the best one wins. On large clusters it
// stops filtering early, as upstream does, and starts the next search where the last one stopped, so that all nodes get
// their turn.
package scheduler

import (
	"fmt"
	"slices"
	"strings"

	"proa/scheduler/filter"
	"proa/scheduler/score"
	"proa/scheduler/state"
)

// Scheduler holds the steps. One goroutine uses it.
type Scheduler struct {
	filters []filter.Step
	scores  []score.Step
	start   int // index of the node where the next search begins
	found   []*state.Node
	totals  []int64
	raw     []int64
}

// New makes a scheduler with the standard steps.
func New() *Scheduler { return &Scheduler{filters: filter.Steps(), scores: score.Steps()} }

// Decision is the outcome for one pod.
type Decision struct {
	Node   string // "" when no node can take the pod
	Reason string // why not, for the user
	// Waits are the changes that may make the pod fit.
	Waits filter.Change
	// Volumes are how claims of the pod that waited for it get their volumes: until they have them it cannot be bound.
	Volumes []filter.Provision
	// Preempt are pods that have to go so that this one, which has no node, fits on theirs. nil: none, or they go already.
	Preempt *Victims
}

// Schedule decides about one pod. It changes neither pod nor state.
func (s *Scheduler) Schedule(st *state.State, p *state.Pod) Decision {
	nodes := st.Nodes()
	if len(nodes) == 0 {
		return Decision{Reason: "no nodes available to schedule pods", Waits: filter.NodeAdded}
	}
	var found []*state.Node
	var rejected *rejections
	st.WithNominated(p, func() { found, rejected = s.filter(st, nodes, p) })
	var node *state.Node
	switch len(found) {
	case 0:
		d := rejected.decision(len(nodes), p)
		if rejected.nowhere == "" && !waits(st, p) {
			st.WithNominated(p, func() { d.Preempt = s.preempt(st, p, rejected.candidates) })
		}
		if d.Preempt != nil || waits(st, p) {
			d.Reason, _, _ = strings.Cut(d.Reason, " preemption:")
		}
		return d
	case 1:
		node = found[0]
	default:
		node = s.best(st, found, p)
	}
	d := Decision{Node: node.Node.Name}
	if open := filter.Open(st.Volumes, p.Pod); len(open) > 0 {
		d.Volumes, _ = filter.Provide(st.Volumes, open, node.Node)
	}
	return d
}

// enough is how many nodes that fit are compared: all of a small cluster, a shrinking share of a large one.
func enough(nodes int) int {
	const all, leastShare = 100, 5
	if nodes <= all {
		return nodes
	}
	share := max(50-nodes/125, leastShare)
	return max(nodes*share/100, all)
}

type check struct {
	step  int
	check filter.Check
}

// filter finds nodes that can take the pod, and counts why the others cannot.
func (s *Scheduler) filter(st *state.State, nodes []*state.Node, p *state.Pod) ([]*state.Node, *rejections) {
	var checks []check
	rejected := &rejections{}
	for i := range s.filters {
		c, nowhere := s.filters[i].For(st, p)
		if nowhere != "" {
			rejected.nowhere, rejected.waits, rejected.hopeless = nowhere, s.filters[i].Waits, len(nodes)
			return nil, rejected
		}
		if c != nil {
			checks = append(checks, check{i, c})
		}
	}
	s.found = s.found[:0]
	want := enough(len(nodes))
	for i := range nodes {
		node := nodes[(s.start+i)%len(nodes)]
		if s.fits(node, checks, rejected) {
			if s.found = append(s.found, node); len(s.found) == want {
				s.start = (s.start + i + 1) % len(nodes)
				break
			}
		}
	}
	return s.found, rejected
}

func (s *Scheduler) fits(node *state.Node, checks []check, rejected *rejections) bool {
	for _, c := range checks {
		if reasons, hopeless := c.check(node); len(reasons) > 0 {
			rejected.add(reasons, hopeless, s.filters[c.step].Waits)
			if !hopeless {
				rejected.candidates = append(rejected.candidates, node)
			}
			return false
		}
	}
	return true
}

// best scores the nodes. Among equals the first in the order of the search wins.
func (s *Scheduler) best(st *state.State, nodes []*state.Node, p *state.Pod) *state.Node {
	s.totals = append(s.totals[:0], make([]int64, len(nodes))...)
	s.raw = append(s.raw[:0], make([]int64, len(nodes))...)
	for i := range s.scores {
		step := &s.scores[i]
		f := step.For(st, p)
		if f == nil {
			continue
		}
		for j, n := range nodes {
			s.raw[j] = f(n)
		}
		if step.Scaled {
			scale(s.raw, step.Inverse)
		}
		for j := range nodes {
			s.totals[j] += step.Weight * s.raw[j]
		}
	}
	best := 0
	for j := range nodes {
		if s.totals[j] > s.totals[best] {
			best = j
		}
	}
	return nodes[best]
}

// scale brings scores to 0..Max by the largest of them.
func scale(scores []int64, inverse bool) {
	top := slices.Max(scores)
	for i := range scores {
		if top > 0 {
			scores[i] = scores[i] * score.Max / top
		}
		if inverse {
			scores[i] = score.Max - scores[i]
		}
	}
}

// rejections counts why nodes cannot take a pod.
type rejections struct {
	reasons  map[string]int
	waits    filter.Change
	hopeless int
	nowhere  string // the one reason that holds for all nodes

	candidates []*state.Node // where removing pods could help
}

func (r *rejections) add(reasons []string, hopeless bool, waits filter.Change) {
	if r.reasons == nil {
		r.reasons = map[string]int{}
	}
	for _, reason := range reasons {
		r.reasons[reason]++
	}
	if hopeless {
		r.hopeless++
	}
	r.waits |= waits
}

// decision words the rejection as upstream does.
func (r *rejections) decision(nodes int, p *state.Pod) Decision {
	var parts []string
	for reason, count := range r.reasons {
		parts = append(parts, fmt.Sprintf("%d %s", count, reason))
	}
	slices.Sort(parts)
	if r.nowhere != "" {
		parts = []string{r.nowhere}
	}
	return Decision{
		Reason: fmt.Sprintf("0/%d nodes are available: %s. %s", nodes, strings.Join(parts, ", "), unhelpful(nodes, r.hopeless, p)),
		Waits:  r.waits | filter.NodeAdded,
	}
}
