package run

import (
	v1 "k8s.io/api/core/v1"
	resourcehelper "k8s.io/component-helpers/resource"

	"proa/node/pod"
)

// weigh gives the burstable pods together the CPU weight that they asked for, so that guaranteed pods beside them do not
// take all. Pods that are gone count until the next one starts, which does no harm.
func (r *Runner) weigh() error {
	r.weighing.Lock()
	defer r.weighing.Unlock()
	var milliCPU int64
	for _, w := range r.allWorkers() {
		if p := w.served().Pod; pod.QOSClass(p) == v1.PodQOSBurstable {
			requests := resourcehelper.PodRequests(p, resourcehelper.PodResourcesOptions{})
			milliCPU += requests.Cpu().MilliValue()
		}
	}
	if milliCPU == r.weight {
		return nil
	}
	r.weight = milliCPU
	return r.Cgroups.SetBurstable(milliCPU)
}
