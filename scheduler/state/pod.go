package state

import (
	v1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/klog/v2"

	"proa/kinds/podspec"
)

// What a container that requests nothing counts for when nodes are compared, so that such pods spread too (upstream's
// values).
const (
	assumedMilliCPU = 100
	assumedMemory   = 200 << 20
)

// Pod is a pod with everything that filters and scores ask for, computed once.
type Pod struct {
	Pod       *v1.Pod // shared
	Requests  Resources
	Assumed   Resources // Requests, with the assumed amounts for containers that request no CPU or memory
	HostPorts []podspec.HostPort
	Required  nodeaffinity.RequiredNodeAffinity
	Preferred *nodeaffinity.PreferredSchedulingTerms // nil if there are none
	wishes                                           // with regard to other pods
}

// NewPod computes what scheduling needs to know of a pod.
func NewPod(pod *v1.Pod) *Pod {
	p := &Pod{
		Pod:      pod,
		Requests: resourcesOf(podspec.Requests(pod)),
		Required: nodeaffinity.GetRequiredNodeAffinity(pod),
		wishes:   newWishes(pod),
	}
	p.Requests.Pods = 1
	p.Assumed = assume(pod, p.Requests)
	p.HostPorts = podspec.HostPorts(pod)
	if a := pod.Spec.Affinity; a != nil && a.NodeAffinity != nil && len(a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution) > 0 {
		// Terms that do not parse were refused when the pod was created; here they would only lose their weight.
		p.Preferred, _ = nodeaffinity.NewPreferredSchedulingTerms(a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	return p
}

// Priority is 0 for a pod that has none.
func (p *Pod) Priority() int32 {
	if p.Pod.Spec.Priority == nil {
		return 0
	}
	return *p.Pod.Spec.Priority
}

func assume(pod *v1.Pod, requests Resources) Resources {
	for i := range pod.Spec.Containers {
		r := pod.Spec.Containers[i].Resources.Requests
		if _, ok := r[v1.ResourceCPU]; !ok {
			requests.MilliCPU += assumedMilliCPU
		}
		if _, ok := r[v1.ResourceMemory]; !ok {
			requests.Memory += assumedMemory
		}
	}
	return requests
}

// Tolerates says whether the pod may run in spite of the taint.
func (p *Pod) Tolerates(taint *v1.Taint) bool {
	for i := range p.Pod.Spec.Tolerations {
		if p.Pod.Spec.Tolerations[i].ToleratesTaint(klog.Background(), taint, true) {
			return true
		}
	}
	return false
}
