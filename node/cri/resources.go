package cri

import (
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	resourcehelper "k8s.io/component-helpers/resource"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"proa/node/cgroup"
	"proa/node/pod"
)

// The out-of-memory order: the higher, the sooner the kernel kills.
const (
	guaranteedOOMScore = -997
	bestEffortOOMScore = 1000
	criticalPriority   = 2000001000 // system-node-critical
)

// ContainerResources are the limits of one container. What has no limit is set to none, also when it had one before.
func (s *Settings) ContainerResources(p *v1.Pod, c *v1.Container) *runtimeapi.LinuxContainerResources {
	request, requested := c.Resources.Requests[v1.ResourceCPU]
	cpuLimit, memoryLimit := c.Resources.Limits.Cpu(), c.Resources.Limits.Memory()
	if p.Spec.Resources != nil {
		cpuLimit = orElse(cpuLimit, p.Spec.Resources.Limits.Cpu())
		memoryLimit = orElse(memoryLimit, p.Spec.Resources.Limits.Memory())
	}
	if !requested {
		request = *cpuLimit
	}
	r := &runtimeapi.LinuxContainerResources{
		CpuShares:          int64(cgroup.Shares(request.MilliValue())),
		CpuPeriod:          cgroup.QuotaPeriod,
		CpuQuota:           cgroup.Quota(cpuLimit.MilliValue()),
		MemoryLimitInBytes: memoryLimit.Value(),
		OomScoreAdj:        s.oomScore(p, c),
	}
	return r
}

func orElse(q, fallback *resource.Quantity) *resource.Quantity {
	if q.IsZero() {
		return fallback
	}
	return q
}

func (s *Settings) oomScore(p *v1.Pod, c *v1.Container) int64 {
	if p.Spec.Priority != nil && *p.Spec.Priority >= criticalPriority {
		return guaranteedOOMScore
	}
	switch pod.QOSClass(p) {
	case v1.PodQOSGuaranteed:
		return guaranteedOOMScore
	case v1.PodQOSBestEffort:
		return bestEffortOOMScore
	}
	score := int64(bestEffortOOMScore)
	if s.MemoryCapacity > 0 {
		score -= 1000 * c.Resources.Requests.Memory().Value() / s.MemoryCapacity
	}
	return min(max(score, 1000+guaranteedOOMScore), bestEffortOOMScore-1)
}

// podResources tells the runtime what the pod as a whole may use; the pod's cgroup is the agent's.
func podResources(p *v1.Pod) *runtimeapi.LinuxContainerResources {
	requests := resourcehelper.PodRequests(p, resourcehelper.PodResourcesOptions{ExcludeOverhead: true})
	limits := resourcehelper.PodLimits(p, resourcehelper.PodResourcesOptions{ExcludeOverhead: true})
	return &runtimeapi.LinuxContainerResources{
		CpuShares:          int64(cgroup.Shares(requests.Cpu().MilliValue())),
		CpuPeriod:          cgroup.QuotaPeriod,
		CpuQuota:           cgroup.Quota(limits.Cpu().MilliValue()),
		MemoryLimitInBytes: limits.Memory().Value(),
	}
}
