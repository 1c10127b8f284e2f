package daemonset

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// rollingUpdate moves nodes to the current template, as many at a time as the strategy allows.
func (r *rollout) rollingUpdate() {
	should := map[string]bool{} // nodes on which a pod should start
	for _, node := range r.nodes {
		if start, _ := r.template.fits(node); start {
			should[node.Name] = true
		}
	}
	nodes := maps.Clone(should)
	for node := range r.byNode {
		nodes[node] = true
	}
	names := slices.Sorted(maps.Keys(nodes))
	surge, unavailable := r.surge(len(should)), r.unavailable(len(should))
	if surge == 0 {
		r.replace(names, max(unavailable, 1))
		return
	}
	r.double(names, should, surge)
}

// onNode are the pods of a node that are not going: at most one of each kind, else ok is false, and manage prunes first.
func (r *rollout) onNode(node string) (newPod, oldPod *corev1.Pod, ok bool) {
	for _, pod := range r.byNode[node] {
		if pod.DeletionTimestamp != nil {
			continue
		}
		at := &oldPod
		if r.updated(pod) {
			at = &newPod
		}
		if *at != nil {
			return nil, nil, false
		}
		*at = pod
	}
	return newPod, oldPod, true
}

// replace deletes old pods; manage makes new ones in their place. Old pods that do not work cost nothing and go at once.
func (r *rollout) replace(nodes []string, allowed int) {
	down := 0
	var candidates []*corev1.Pod
	for _, node := range nodes {
		newPod, oldPod, ok := r.onNode(node)
		switch {
		case !ok, (newPod == nil) == (oldPod == nil):
			down++
		case newPod != nil:
			if !r.available(newPod) {
				down++
			}
		case !r.available(oldPod):
			r.drop(oldPod)
			down++
		default:
			candidates = append(candidates, oldPod)
		}
	}
	r.drop(candidates[:min(len(candidates), max(0, allowed-down))]...)
}

// double creates new pods beside old ones, which go when the new ones work. Where no pod should be any more, old ones go
// only as far as enough others work.
func (r *rollout) double(nodes []string, should map[string]bool, allowed int) {
	doubled, working := 0, 0
	var candidates []string
	var leaving []*corev1.Pod
	for _, node := range nodes {
		newPod, oldPod, ok := r.onNode(node)
		if !ok {
			doubled++
			continue
		}
		if serving := firstPod(oldPod, newPod); serving != nil && r.available(serving) {
			working++
		}
		switch {
		case oldPod == nil:
		case newPod != nil:
			if r.available(newPod) {
				r.drop(oldPod)
			} else {
				doubled++
			}
		case !should[node] && !r.available(oldPod):
			r.drop(oldPod)
		case !should[node]:
			leaving = append(leaving, oldPod)
		case !r.available(oldPod):
			r.place(node)
		default:
			candidates = append(candidates, node)
		}
	}
	r.drop(leaving[:min(len(leaving), max(0, working-len(should)))]...)
	for _, node := range candidates[:min(len(candidates), max(0, allowed-doubled))] {
		r.place(node)
	}
}

func firstPod(pods ...*corev1.Pod) *corev1.Pod {
	for _, pod := range pods {
		if pod != nil {
			return pod
		}
	}
	return nil
}
