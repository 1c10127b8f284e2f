package state

import (
	"iter"
	"maps"
	"slices"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
)

// State is all nodes and the pods that are assigned to them. One goroutine uses it.
//
// Invariants: a pod is counted on exactly the node it was last placed on; Nodes holds the nodes whose object is known,
// by name; a Node's sums equal what adding up its pods would give.
type State struct {
	Volumes *Volumes
	Budgets *Budgets

	namespaces map[string]labels.Set
	nominated  map[types.UID]placed         // pods that wait for others to go from a node
	repelling  map[types.UID]placed         // those of pods that must be far from others
	kin        map[types.UID]map[string]int // by owner: how many pods of it are on which node
	choosy     map[types.UID]placed         // those that would like to be near or far from others
	nodes      map[string]*Node
	listed     []*Node // nodes with an object, by name; nil: must be listed anew
	pods       map[types.UID]placed
}

type placed struct {
	pod  *Pod
	node string
}

// New is a cluster without nodes.
func New() *State {
	return &State{
		Volumes: newVolumes(), Budgets: newBudgets(), namespaces: map[string]labels.Set{},
		nominated: map[types.UID]placed{}, repelling: map[types.UID]placed{}, choosy: map[types.UID]placed{}, kin: map[types.UID]map[string]int{},
		nodes: map[string]*Node{}, pods: map[types.UID]placed{},
	}
}

// SetNode takes the newest version of a node.
func (s *State) SetNode(node *v1.Node) {
	n := s.node(node.Name)
	n.Node, n.Allocatable, n.Images = node, resourcesOf(node.Status.Allocatable), imagesOf(node)
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
	at := placed{p, node}
	s.pods[p.Pod.UID] = at
	s.countKin(at, 1)
	if len(p.Far) > 0 {
		s.repelling[p.Pod.UID] = at
	}
	if len(p.LikesNear)+len(p.LikesFar) > 0 {
		s.choosy[p.Pod.UID] = at
	}
}

// Remove stops counting a pod. It says whether the pod was counted.
func (s *State) Remove(uid types.UID) bool {
	was, ok := s.pods[uid]
	if !ok {
		return false
	}
	delete(s.pods, uid)
	s.countKin(was, -1)
	delete(s.repelling, uid)
	delete(s.choosy, uid)
	s.nodes[was.node].count(was.pod, -1)
	s.Volumes.count(was.pod.Pod, -1)
	s.drop(was.node)
	return true
}

func (s *State) countKin(at placed, sign int) {
	owner := metav1.GetControllerOfNoCopy(at.pod.Pod)
	if owner == nil {
		return
	}
	if s.kin[owner.UID] == nil {
		s.kin[owner.UID] = map[string]int{}
	}
	if s.kin[owner.UID][at.node] += sign; s.kin[owner.UID][at.node] == 0 {
		delete(s.kin[owner.UID], at.node)
	}
	if len(s.kin[owner.UID]) == 0 {
		delete(s.kin, owner.UID)
	}
}

// Kin yields the nodes on which pods of the same owner are placed, and how many.
func (s *State) Kin(p *Pod) iter.Seq2[*Node, int] {
	return func(yield func(*Node, int) bool) {
		owner := metav1.GetControllerOfNoCopy(p.Pod)
		if owner == nil {
			return
		}
		for name, count := range s.kin[owner.UID] {
			if n := s.nodes[name]; n != nil && n.Node != nil && !yield(n, count) {
				return
			}
		}
	}
}

// SetNamespace takes the labels of a namespace.
func (s *State) SetNamespace(name string, set map[string]string) { s.namespaces[name] = set }

// DeleteNamespace forgets a namespace.
func (s *State) DeleteNamespace(name string) { delete(s.namespaces, name) }

// NamespaceLabels are the labels of a namespace.
func (s *State) NamespaceLabels(name string) labels.Set { return s.namespaces[name] }

// Repelling yields the placed pods that must be far from others, with their nodes.
func (s *State) Repelling() iter.Seq2[*Pod, *Node] { return s.on(s.repelling) }

// Choosy yields the placed pods that would like to be near others, or far from them, with their nodes.
func (s *State) Choosy() iter.Seq2[*Pod, *Node] { return s.on(s.choosy) }

func (s *State) on(pods map[types.UID]placed) iter.Seq2[*Pod, *Node] {
	return func(yield func(*Pod, *Node) bool) {
		for _, at := range pods {
			if n := s.nodes[at.node]; n != nil && n.Node != nil && !yield(at.pod, n) {
				return
			}
		}
	}
}

// Nominate notes that a pod waits for others to go from a node; "" ends that.
func (s *State) Nominate(p *Pod, node string) {
	if node == "" {
		delete(s.nominated, p.Pod.UID)
		return
	}
	s.nominated[p.Pod.UID] = placed{p, node}
}

// WithNominated calls f while the pods that wait for room and are at least as important as p count as if they had it.
func (s *State) WithNominated(p *Pod, f func()) {
	var added []types.UID
	for uid, at := range s.nominated {
		if uid != p.Pod.UID && at.pod.Priority() >= p.Priority() && s.PlacedOn(uid) == "" {
			s.Place(at.pod, at.node)
			added = append(added, uid)
		}
	}
	f()
	for _, uid := range added {
		s.Remove(uid)
	}
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
