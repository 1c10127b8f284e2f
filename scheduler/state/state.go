package state

import (
	"maps"
	"slices"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// State is all nodes and the pods that are assigned to them. One goroutine uses it.
//
// Invariants: a pod is counted on exactly the node it was last placed on; Nodes holds the nodes whose object is known,
// by name; a Node's sums equal what adding up its pods would give.
type State struct {
	Volumes *Volumes

	nodes  map[string]*Node
	listed []*Node // nodes with an object, by name; nil: must be listed anew
	pods   map[types.UID]placed
}

type placed struct {
	pod  *Pod
	node string
}

// New is a cluster without nodes.
func New() *State {
	return &State{Volumes: newVolumes(), nodes: map[string]*Node{}, pods: map[types.UID]placed{}}
}

// SetNode takes the newest version of a node.
func (s *State) SetNode(node *v1.Node) {
	n := s.node(node.Name)
	n.Node, n.Allocatable = node, resourcesOf(node.Status.Allocatable)
	s.listed = nil
}

// DeleteNode forgets a node; pods that are still bound to it stay counted in case it comes back.
func (s *State) DeleteNode(name string) {
	if n := s.nodes[name]; n != nil {
		n.Node = nil
		s.listed = nil
		s.drop(name)
	}
}

// Place counts a pod on a node, by a binding that is known or assumed; it moves a pod that was counted elsewhere.
func (s *State) Place(p *Pod, node string) {
	s.Remove(p.Pod.UID)
	s.node(node).count(p, 1)
	s.Volumes.count(p.Pod, 1)
	s.pods[p.Pod.UID] = placed{p, node}
}

// Remove stops counting a pod. It says whether the pod was counted.
func (s *State) Remove(uid types.UID) bool {
	was, ok := s.pods[uid]
	if !ok {
		return false
	}
	delete(s.pods, uid)
	s.nodes[was.node].count(was.pod, -1)
	s.Volumes.count(was.pod.Pod, -1)
	s.drop(was.node)
	return true
}

// PlacedOn is the node that a pod is counted on, "" if none.
func (s *State) PlacedOn(uid types.UID) string { return s.pods[uid].node }

// Nodes lists the nodes by name. The slice is shared and valid until the next change.
func (s *State) Nodes() []*Node {
	if s.listed == nil {
		s.listed = []*Node{}
		for _, name := range slices.Sorted(maps.Keys(s.nodes)) {
			if n := s.nodes[name]; n.Node != nil {
				s.listed = append(s.listed, n)
			}
		}
	}
	return s.listed
}

func (s *State) node(name string) *Node {
	n := s.nodes[name]
	if n == nil {
		n = newNode()
		s.nodes[name] = n
	}
	return n
}

// drop forgets a node that has neither an object nor pods.
func (s *State) drop(name string) {
	if n := s.nodes[name]; n.Node == nil && n.Requested.Pods == 0 {
		delete(s.nodes, name)
	}
}
