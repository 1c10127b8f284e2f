package score

import (
	v1 "k8s.io/api/core/v1"

	"proa/scheduler/filter"
	"proa/scheduler/state"
)

// liked adds up the weights of the pods that this one would like to be near, less those that it would like to be far from,
// and what the pods that are there would like of this one.
func liked(st *state.State, p *state.Pod) func(*state.Node) int64 {
	type place struct{ key, value string }
	sums := map[place]int64{}
	add := func(n *state.Node, terms []state.Term, about *v1.Pod, sign int64) {
		for i := range terms {
			t := &terms[i]
			if value, ok := n.Node.Labels[t.TopologyKey]; ok && t.Covers(about, st.NamespaceLabels(about.Namespace)) {
				sums[place{t.TopologyKey, value}] += sign * t.Weight
			}
		}
	}
	if len(p.LikesNear)+len(p.LikesFar) > 0 {
		for _, n := range st.Nodes() {
			for other := range n.Pods() {
				add(n, p.LikesNear, other.Pod, +1)
				add(n, p.LikesFar, other.Pod, -1)
			}
		}
	}
	for other, n := range st.Choosy() {
		add(n, other.LikesNear, p.Pod, +1)
		add(n, other.LikesFar, p.Pod, -1)
	}
	if len(sums) == 0 {
		return nil
	}
	var least int64
	score := func(n *state.Node) (sum int64) {
		for at, weight := range sums {
			if value, ok := n.Node.Labels[at.key]; ok && value == at.value {
				sum += weight
			}
		}
		return sum
	}
	for _, n := range st.Nodes() {
		least = min(least, score(n))
	}
	return func(n *state.Node) int64 { return score(n) - least }
}

// crowded counts the pods of the same kind around a node: by the pod's own constraints, or, if it has none, the pods of the
// same owner on the node, and a third as much those in its zone.
func crowded(st *state.State, p *state.Pod) func(*state.Node) int64 {
	if len(p.LikesSpreads) > 0 {
		counts := make([]map[string]int, len(p.LikesSpreads))
		for i := range p.LikesSpreads {
			counts[i] = filter.SpreadCounts(st, p, &p.LikesSpreads[i], p.LikesSpreads)
		}
		return func(n *state.Node) (sum int64) {
			for i := range p.LikesSpreads {
				value, ok := n.Node.Labels[p.LikesSpreads[i].TopologyKey]
				if !ok {
					return 1 << 20 // as crowded as can be: it is no place that the constraint knows
				}
				sum += int64(counts[i][value]) * 10 / int64(max(1, p.LikesSpreads[i].MaxSkew))
			}
			return sum
		}
	}
	if len(p.Spreads) > 0 {
		return nil
	}
	nodes, zones := map[string]int64{}, map[string]int64{}
	for n, count := range st.Kin(p) {
		nodes[n.Node.Name] += int64(count)
		zones[n.Node.Labels[v1.LabelTopologyZone]] += int64(count)
	}
	if len(nodes) == 0 {
		return nil
	}
	return func(n *state.Node) int64 {
		score := 3 * nodes[n.Node.Name]
		if zone := n.Node.Labels[v1.LabelTopologyZone]; zone != "" {
			score += zones[zone]
		}
		return score
	}
}

// Sizes between which images that are there already count for more and more.
const (
	smallImages = 23 << 20
	largeImages = 1000 << 20 // per container
)

// hasImages prefers nodes that have the pod's images, the more the larger they are and the more nodes have them: else a new
// node would never get one.
func hasImages(st *state.State, p *state.Pod) func(*state.Node) int64 {
	nodes := st.Nodes()
	weights := map[string]float64{}
	for i := range p.Pod.Spec.Containers {
		image := state.ImageName(p.Pod.Spec.Containers[i].Image)
		having := 0
		for _, n := range nodes {
			if n.Images[image] > 0 {
				having++
			}
		}
		if having > 0 && having < len(nodes) {
			weights[image] = float64(having) / float64(len(nodes))
		}
	}
	if len(weights) == 0 {
		return nil
	}
	most := int64(largeImages * len(p.Pod.Spec.Containers))
	return func(n *state.Node) int64 {
		var sum int64
		for image, weight := range weights {
			sum += int64(float64(n.Images[image]) * weight)
		}
		sum = min(max(sum, smallImages), most)
		return Max * (sum - smallImages) / (most - smallImages)
	}
}
