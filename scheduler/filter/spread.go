package filter

import (
	"math"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"proa/scheduler/state"
)

// spread holds a pod to where the pods that it counts itself among stay evenly spread.
func spread(st *state.State, p *state.Pod) (Check, string) {
	if len(p.Spreads) == 0 {
		return nil, ""
	}
	type counted struct {
		*state.Spread
		counts map[string]int
		least  int
		self   int
	}
	var all []counted
	for i := range p.Spreads {
		s := &p.Spreads[i]
		c := counted{Spread: s, counts: SpreadCounts(st, p, s, p.Spreads), least: math.MaxInt}
		for _, n := range c.counts {
			c.least = min(c.least, n)
		}
		if len(c.counts) == 0 || s.MinDomains != nil && len(c.counts) < int(*s.MinDomains) {
			c.least = 0
		}
		if s.Selector.Matches(labels.Set(p.Pod.Labels)) {
			c.self = 1
		}
		all = append(all, c)
	}
	return func(n *state.Node) ([]string, bool) {
		for i := range all {
			c := &all[i]
			value, ok := n.Node.Labels[c.TopologyKey]
			if !ok {
				return []string{"node(s) didn't match pod topology spread constraints (missing required label)"}, true
			}
			if c.counts[value]+c.self-c.least > int(c.MaxSkew) {
				return []string{"node(s) didn't match pod topology spread constraints"}, false
			}
		}
		return nil, false
	}, ""
}

// SpreadCounts counts the pods that a constraint is about, by the values of its topology. Nodes count that have all labels
// that the pod's constraints name, and that the pod could be on as far as the constraint asks for that.
func SpreadCounts(st *state.State, p *state.Pod, s *state.Spread, all []state.Spread) map[string]int {
	counts := map[string]int{}
	for _, n := range st.Nodes() {
		if !hasKeys(n.Node, all) || !included(n.Node, p, s) {
			continue
		}
		value := n.Node.Labels[s.TopologyKey]
		counts[value] += 0
		for other := range n.Pods() {
			if other.Pod.Namespace == p.Pod.Namespace && other.Pod.DeletionTimestamp == nil && !s.Selector.Empty() && s.Selector.Matches(labels.Set(other.Pod.Labels)) {
				counts[value]++
			}
		}
	}
	return counts
}

func hasKeys(node *v1.Node, all []state.Spread) bool {
	for i := range all {
		if _, ok := node.Labels[all[i].TopologyKey]; !ok {
			return false
		}
	}
	return true
}

func included(node *v1.Node, p *state.Pod, s *state.Spread) bool {
	if s.NodeAffinityPolicy == nil || *s.NodeAffinityPolicy == v1.NodeInclusionPolicyHonor {
		if match, err := p.Required.Match(node); err != nil || !match {
			return false
		}
	}
	if s.NodeTaintsPolicy != nil && *s.NodeTaintsPolicy == v1.NodeInclusionPolicyHonor {
		for i := range node.Spec.Taints {
			if t := &node.Spec.Taints[i]; t.Effect != v1.TaintEffectPreferNoSchedule && !p.Tolerates(t) {
				return false
			}
		}
	}
	return true
}
