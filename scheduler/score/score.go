// Package score holds the steps that say which of the nodes that can take a pod should. Each step is pure; the list with
// its weights is in this file.
package score

import (
	"math"

	v1 "k8s.io/api/core/v1"

	"proa/scheduler/state"
)

// Max is the best score a step gives a node.
const Max = 100

// Step is one score.
type Step struct {
	Name   string
	Weight int64
	// For prepares the score for one pod: 0 to Max, or with Scaled any number of at least 0. nil: all nodes are equal.
	For func(st *state.State, p *state.Pod) func(n *state.Node) int64
	// Scaled brings the numbers of all nodes to 0..Max by the largest; Inverse makes the largest 0.
	Scaled, Inverse bool
}

// Steps lists the scores with upstream's weights.
func Steps() []Step {
	return []Step{
		{Name: "TaintToleration", Weight: 3, For: alone(avoidedTaints), Scaled: true, Inverse: true},
		{Name: "NodeAffinity", Weight: 2, For: alone(preferredAffinity), Scaled: true},
		{Name: "PodTopologySpread", Weight: 2, For: crowded, Scaled: true, Inverse: true},
		{Name: "InterPodAffinity", Weight: 2, For: liked, Scaled: true},
		{Name: "NodeResourcesFit", Weight: 1, For: alone(leastAllocated)},
		{Name: "NodeResourcesBalancedAllocation", Weight: 1, For: alone(balanced)},
		{Name: "ImageLocality", Weight: 1, For: hasImages},
	}
}

// alone adapts a step that looks at the pod and one node alone.
func alone(f func(p *state.Pod) func(*state.Node) int64) func(*state.State, *state.Pod) func(*state.Node) int64 {
	return func(_ *state.State, p *state.Pod) func(*state.Node) int64 { return f(p) }
}

// avoidedTaints counts the taints that ask pods to stay away and that the pod does not tolerate.
func avoidedTaints(p *state.Pod) func(*state.Node) int64 {
	return func(n *state.Node) int64 {
		var count int64
		for i := range n.Node.Spec.Taints {
			if t := &n.Node.Spec.Taints[i]; t.Effect == v1.TaintEffectPreferNoSchedule && !p.Tolerates(t) {
				count++
			}
		}
		return count
	}
}

// preferredAffinity adds up the weights of the preferred terms that match.
func preferredAffinity(p *state.Pod) func(*state.Node) int64 {
	if p.Preferred == nil {
		return nil
	}
	return func(n *state.Node) int64 { return p.Preferred.Score(n.Node) }
}

// leastAllocated prefers nodes where much stays free.
func leastAllocated(p *state.Pod) func(*state.Node) int64 {
	free := func(all, used int64) int64 {
		if all == 0 || used > all {
			return 0
		}
		return (all - used) * Max / all
	}
	return func(n *state.Node) int64 {
		cpu := free(n.Allocatable.MilliCPU, n.Assumed.MilliCPU+p.Assumed.MilliCPU)
		memory := free(n.Allocatable.Memory, n.Assumed.Memory+p.Assumed.Memory)
		return (cpu + memory) / 2
	}
}

// balanced prefers nodes where the shares of CPU and memory in use stay close to each other.
func balanced(p *state.Pod) func(*state.Node) int64 {
	share := func(all, used int64) float64 {
		if all == 0 {
			return 1
		}
		return math.Min(1, float64(used)/float64(all))
	}
	return func(n *state.Node) int64 {
		cpu := share(n.Allocatable.MilliCPU, n.Requested.MilliCPU+p.Requests.MilliCPU)
		memory := share(n.Allocatable.Memory, n.Requested.Memory+p.Requests.Memory)
		return int64((1 - math.Abs(cpu-memory)/2) * Max)
	}
}
