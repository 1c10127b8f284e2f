package state

import (
	"iter"
	"maps"
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/kinds/podspec"
)

// Node is a node with the sum of what its pods have reserved.
type Node struct {
	Node        *v1.Node // shared; nil while only pods bound to the node are known
	Allocatable Resources
	Requested   Resources
	Assumed     Resources
	Images      map[string]int64 // sizes in bytes, by the names as ImageName has them
	ports       map[podspec.HostPort]int
	pods        map[types.UID]*Pod
}

func newNode() *Node { return &Node{ports: map[podspec.HostPort]int{}, pods: map[types.UID]*Pod{}} }

// Pods yields the pods that are counted on the node.
func (n *Node) Pods() iter.Seq[*Pod] { return maps.Values(n.pods) }

// ImageName is an image's name with a tag, as nodes list it.
func ImageName(image string) string {
	if !strings.Contains(image, "@") && strings.LastIndexByte(image, ':') <= strings.LastIndexByte(image, '/') {
		return image + ":latest"
	}
	return image
}

func imagesOf(node *v1.Node) map[string]int64 {
	images := map[string]int64{}
	for _, image := range node.Status.Images {
		for _, name := range image.Names {
			images[name] = image.SizeBytes
		}
	}
	return images
}

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
	if sign > 0 {
		n.pods[p.Pod.UID] = p
	} else {
		delete(n.pods, p.Pod.UID)
	}
	n.Requested.add(p.Requests, int64(sign))
	n.Assumed.add(p.Assumed, int64(sign))
	for _, port := range p.HostPorts {
		if n.ports[port] += sign; n.ports[port] == 0 {
			delete(n.ports, port)
		}
	}
}
