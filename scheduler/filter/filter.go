// Package filter holds the steps that say on which nodes a pod cannot run, and why. Each step is pure. Their order is the
// list in this file; the reasons are upstream's, since users and tools read them.
package filter

import (
	"proa/scheduler/state"
)

// Change is something that may make a rejected pod fit.
type Change uint8

// The changes that steps wait for. A step names those that can turn its rejection round.
const (
	NodeAdded Change = 1 << iota
	NodeLabels
	NodeTaints
	NodeAllocatable
	PodGone // a pod that was placed has ended or been deleted
	Volumes // a claim, a volume or a storage class
	PodPlaced
	NodeFeatures
)

// Check says why a node cannot take the pod; no reasons mean that it can. hopeless: no removal of pods would help.
type Check func(n *state.Node) (reasons []string, hopeless bool)

// Step is one filter.
type Step struct {
	Name  string
	Waits Change
	// For prepares the check for one pod, nil if every node passes. nowhere, if not empty, says why no node can take it.
	For func(st *state.State, p *state.Pod) (check Check, nowhere string)
}

// alone adapts a step that looks at the pod and one node alone.
func alone(f func(p *state.Pod) Check) func(*state.State, *state.Pod) (Check, string) {
	return func(_ *state.State, p *state.Pod) (Check, string) { return f(p), "" }
}

// Steps lists the filters in the order in which they are tried; a node's first rejection counts.
func Steps() []Step {
	return []Step{
		{"NodeUnschedulable", NodeAdded | NodeTaints, alone(unschedulable)},
		{"NodeName", NodeAdded, alone(nodeName)},
		{"TaintToleration", NodeAdded | NodeTaints, alone(taints)},
		{"NodeAffinity", NodeAdded | NodeLabels, alone(affinity)},
		{"NodePorts", NodeAdded | PodGone, alone(ports)},
		{"NodeResourcesFit", NodeAdded | NodeAllocatable | PodGone, alone(resources)},
		{"VolumeRestrictions", PodGone, exclusive},
		{"VolumeBinding", NodeAdded | NodeLabels | Volumes, volumes},
		{"PodTopologySpread", NodeAdded | NodeLabels | NodeTaints | PodGone | PodPlaced, spread},
		{"InterPodAffinity", NodeAdded | NodeLabels | PodGone | PodPlaced, near},
		{"DynamicResources", NodeAdded, alone(devices)},
		{"NodeDeclaredFeatures", NodeAdded | NodeFeatures, alone(features)},
	}
}
