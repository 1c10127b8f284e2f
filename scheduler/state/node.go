package state

import (
	v1 "k8s.io/api/core/v1"

	"proa/kinds/podspec"
)

// Node is a node with the sum of what its pods have reserved.
type Node struct {
	Node        *v1.Node // shared; nil while only pods bound to the node are known
	Allocatable Resources
	Requested   Resources
	Assumed     Resources
	ports       map[podspec.HostPort]int
}

func newNode() *Node { return &Node{ports: map[podspec.HostPort]int{}} }

// PortsFree says whether none of the ports is taken.
func (n *Node) PortsFree(wanted []podspec.HostPort) bool {
	for _, w := range wanted {
		for taken := range n.ports {
			if taken.Conflicts(w) {
				return false
			}
		}
	}
	return true
}

func (n *Node) count(p *Pod, sign int) {
	n.Requested.add(p.Requests, int64(sign))
	n.Assumed.add(p.Assumed, int64(sign))
	for _, port := range p.HostPorts {
		if n.ports[port] += sign; n.ports[port] == 0 {
			delete(n.ports, port)
		}
	}
}
