package run

import (
	"fmt"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	resourcehelper "k8s.io/component-helpers/resource"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"

	"proa/client"
	"proa/kinds/podspec"
	"proa/node/pod"
)

// admitLocked says whether the node refuses a pod that has not started yet: whoever bound it may have known less.
func (r *Runner) admitLocked(p *v1.Pod, seen *pod.Observed) *pod.Refused {
	started := len(seen.Sandboxes) > 0 || len(seen.Containers) > 0 || p.Status.StartTime != nil
	if started || p.DeletionTimestamp != nil {
		return nil
	}
	if r.Admit != nil {
		if refused := r.Admit(p); refused != nil {
			return refused
		}
	}
	node, ok := client.Get[*v1.Node](r.Client.View(), "nodes", "", r.NodeName)
	if !ok {
		return nil
	}
	var others []*v1.Pod
	for _, w := range r.mu.workers {
		w.mu.Lock()
		status, other := w.mu.served.Status, w.mu.served.Pod
		w.mu.Unlock()
		if w.uid != p.UID && !w.orphan && status.Phase != v1.PodSucceeded && status.Phase != v1.PodFailed {
			others = append(others, other)
		}
	}
	return admit(p, node, others)
}

// admit checks a pod against the node and the pods that are on it. The wording is upstream's.
func admit(p *v1.Pod, node *v1.Node, others []*v1.Pod) *pod.Refused {
	if system := p.Spec.OS; system != nil && system.Name != v1.Linux {
		return &pod.Refused{Reason: "PodOSNotSupported", Message: "Failed to admit pod as the OS field doesn't match node OS"}
	}
	if match, err := nodeaffinity.GetRequiredNodeAffinity(p).Match(node); err != nil || !match {
		return &pod.Refused{Reason: "NodeAffinity", Message: "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"}
	}
	if free := node.Status.Allocatable.Pods().Value(); free > 0 && int64(len(others))+1 > free {
		return &pod.Refused{Reason: "OutOfpods", Message: fmt.Sprintf("Node didn't have enough resource: pods, requested: 1, used: %d, capacity: %d", len(others), free)}
	}
	if name := unsafeSysctl(p); name != "" {
		return &pod.Refused{Reason: "SysctlForbidden", Message: fmt.Sprintf("forbidden sysctl: %q not allowlisted", name)}
	}
	if portTaken(p, others) {
		return &pod.Refused{Reason: "NodePorts", Message: "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"}
	}
	return admitResources(p, node, others)
}

// portTaken says whether another pod has a port of the node that the pod wants.
func portTaken(p *v1.Pod, others []*v1.Pod) bool {
	wanted := podspec.HostPorts(p)
	if len(wanted) == 0 {
		return false
	}
	for _, other := range others {
		for _, taken := range podspec.HostPorts(other) {
			if slices.ContainsFunc(wanted, taken.Conflicts) {
				return true
			}
		}
	}
	return false
}

// unsafeSysctl is the first sysctl of a pod that could reach beyond it.
func unsafeSysctl(p *v1.Pod) string {
	if p.Spec.SecurityContext == nil {
		return ""
	}
	for _, s := range p.Spec.SecurityContext.Sysctls {
		switch strings.ReplaceAll(s.Name, "/", ".") {
		case "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range",
			"net.ipv4.ip_unprivileged_port_start", "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout",
			"net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem":
		default:
			return s.Name
		}
	}
	return ""
}

func admitResources(p *v1.Pod, node *v1.Node, others []*v1.Pod) *pod.Refused {
	requests := resourcehelper.PodRequests(p, resourcehelper.PodResourcesOptions{})
	names := make([]v1.ResourceName, 0, len(requests))
	for name := range requests {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		wanted, capacity := requests[name], node.Status.Allocatable[name]
		if wanted.IsZero() || (capacity.IsZero() && !strings.Contains(string(name), "/") && len(node.Status.Allocatable) == 0) {
			continue
		}
		used := capacity.DeepCopy()
		used.Set(0)
		for _, other := range others {
			used.Add(resourcehelper.PodRequests(other, resourcehelper.PodResourcesOptions{})[name])
		}
		in := func(milli, value int64) int64 {
			if name == v1.ResourceCPU {
				return milli
			}
			return value
		}
		free := capacity.DeepCopy()
		free.Sub(used)
		if wanted.Cmp(free) > 0 {
			return &pod.Refused{Reason: "OutOf" + string(name), Message: fmt.Sprintf("Node didn't have enough resource: %s, requested: %d, used: %d, capacity: %d",
				name, in(wanted.MilliValue(), wanted.Value()), in(used.MilliValue(), used.Value()), in(capacity.MilliValue(), capacity.Value()))}
		}
	}
	return nil
}
