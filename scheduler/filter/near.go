package filter

import (
	"proa/scheduler/state"
)

type place struct{ key, value string }

// near holds a pod near the pods that it must be near, and away from those that it, or they, must be far from.
func near(st *state.State, p *state.Pod) (Check, string) {
	repelled := repelling(st, p)
	if len(p.Near)+len(p.Far)+len(repelled) == 0 {
		return nil, ""
	}
	attracted, far := covered(st, p.Near, true), covered(st, p.Far, false)
	first := len(attracted) == 0 && coversItself(st, p) // of its kind: nobody is there to be near to
	return func(n *state.Node) ([]string, bool) {
		for i := range p.Near {
			key := p.Near[i].TopologyKey
			value, ok := n.Node.Labels[key]
			if !ok || !attracted[place{key, value}] && !first {
				return []string{"node(s) didn't match pod affinity rules"}, true
			}
		}
		for i := range p.Far {
			key := p.Far[i].TopologyKey
			if value, ok := n.Node.Labels[key]; ok && far[place{key, value}] {
				return []string{"node(s) didn't match pod anti-affinity rules"}, false
			}
		}
		for at := range repelled {
			if value, ok := n.Node.Labels[at.key]; ok && value == at.value {
				return []string{"node(s) didn't satisfy existing pods anti-affinity rules"}, false
			}
		}
		return nil, false
	}, ""
}

// covered are the places where a pod is that all of the terms, or any of them, are about.
func covered(st *state.State, terms []state.Term, all bool) map[place]bool {
	places := map[place]bool{}
	if len(terms) == 0 {
		return places
	}
	for _, n := range st.Nodes() {
		for other := range n.Pods() {
			labels := st.NamespaceLabels(other.Pod.Namespace)
			matching := 0
			for i := range terms {
				if terms[i].Covers(other.Pod, labels) {
					matching++
				}
			}
			if matching == 0 || all && matching < len(terms) {
				continue
			}
			for i := range terms {
				if value, ok := n.Node.Labels[terms[i].TopologyKey]; ok && (all || terms[i].Covers(other.Pod, labels)) {
					places[place{terms[i].TopologyKey, value}] = true
				}
			}
		}
	}
	return places
}

// repelling are the places from which pods that are there keep such a pod away.
func repelling(st *state.State, p *state.Pod) map[place]bool {
	places := map[place]bool{}
	labels := st.NamespaceLabels(p.Pod.Namespace)
	for other, n := range st.Repelling() {
		for i := range other.Far {
			t := &other.Far[i]
			if value, ok := n.Node.Labels[t.TopologyKey]; ok && t.Covers(p.Pod, labels) {
				places[place{t.TopologyKey, value}] = true
			}
		}
	}
	return places
}

func coversItself(st *state.State, p *state.Pod) bool {
	for i := range p.Near {
		if !p.Near[i].Covers(p.Pod, st.NamespaceLabels(p.Pod.Namespace)) {
			return false
		}
	}
	return true
}
