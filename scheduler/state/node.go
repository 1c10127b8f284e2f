package state

import (
	v1 "k8s.io/api/core/v1"
)

// Node is a node with the sum of what its pods have reserved.
type Node struct {
	Node        *v1.Node // shared; nil while only pods bound to the node are known
	Allocatable Resources
	Requested   Resources
	Assumed     Resources
	ports       map[HostPort]int
}

func newNode() *Node { return &Node{ports: map[HostPort]int{}} }

// PortsFree says whether none of the ports is taken. A port on all addresses conflicts with the same port on any.
func (n *Node) PortsFree(wanted []HostPort) bool {
	for _, w := range wanted {
		for taken := range n.ports {
			if taken.Port == w.Port && taken.Protocol == w.Protocol && (taken.IP == w.IP || taken.IP == "" || w.IP == "") {
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
