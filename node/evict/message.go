package evict

import (
	"fmt"
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	resourcehelper "k8s.io/component-helpers/resource"
)

// message says why a pod is evicted, in upstream's words: tools read them.
func (d *Decider) message(t Threshold, levels Levels, u *Usage) string {
	meaning, _ := t.Signal.meaning()
	var b strings.Builder
	fmt.Fprintf(&b, "The node was low on resource: %s. ", meaning.resource)
	if level, ok := levels[t.Signal]; ok {
		fmt.Fprintf(&b, "Threshold quantity: %s, available: %s. ", meaning.quantity(t.Value.of(level.Capacity)), meaning.quantity(level.Available))
	}
	if !u.Known || meaning.resource == inodes || meaning.resource == pids {
		return b.String()
	}
	if meaning.resource == v1.ResourceMemory && resourcehelper.IsPodLevelResourcesSet(u.Pod) {
		if asked, ok := u.Pod.Spec.Resources.Requests[v1.ResourceMemory]; ok {
			fmt.Fprintf(&b, "Pod %s was using %s, request is %s, has larger consumption of %s. ", u.Pod.Name, meaning.quantity(u.Memory), asked.String(), meaning.resource)
		}
	}
	for _, c := range u.Containers {
		used := c.Memory
		if meaning.resource == v1.ResourceEphemeralStorage {
			used = c.Layer.Bytes + c.Logs.Bytes
		}
		asked, known := requestOf(u.Pod, c.Name, meaning.resource)
		if q := meaning.quantity(used); known && q.Cmp(asked) > 0 {
			fmt.Fprintf(&b, "Container %s was using %s, request is %s, has larger consumption of %s. ", c.Name, q, asked.String(), meaning.resource)
		}
	}
	return b.String()
}

func (s signal) quantity(n int64) *resource.Quantity {
	if s.count {
		return resource.NewQuantity(n, resource.DecimalSI)
	}
	return resource.NewQuantity(n, resource.BinarySI)
}

// requestOf is what a container asked for. Ephemeral containers cannot ask: they are not known.
func requestOf(p *v1.Pod, container string, name v1.ResourceName) (resource.Quantity, bool) {
	for _, list := range [][]v1.Container{p.Spec.Containers, p.Spec.InitContainers} {
		for i := range list {
			if list[i].Name == container {
				return list[i].Resources.Requests[name], true
			}
		}
	}
	return resource.Quantity{}, false
}
