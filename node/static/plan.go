package static

import (
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/node/pod"
)

// plan compares the node's own pods with what shows them in the API. A mirror that shows nothing any more, or that somebody is
// deleting, goes; then the missing ones are made: a deleted mirror comes back, for the pod still runs.
func plan(own, mirrors []*v1.Pod) (remove, create []*v1.Pod) {
	wanted := map[types.UID]*v1.Pod{}
	for _, p := range own {
		wanted[p.UID] = p
	}
	shown := map[types.UID]bool{}
	for _, m := range mirrors {
		p := wanted[pod.MirrorOf(m)]
		if p == nil || p.Name != m.Name || p.Namespace != m.Namespace || m.DeletionTimestamp != nil {
			remove = append(remove, m)
			continue
		}
		shown[p.UID] = true
	}
	for _, p := range own {
		if !shown[p.UID] {
			create = append(create, p)
		}
	}
	return remove, create
}
