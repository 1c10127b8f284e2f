package run

import (
	"context"
	"fmt"

	v1 "k8s.io/api/core/v1"

	"proa/node/pod"
)

func runningIDs(all []pod.Container) map[string]string {
	running := map[string]string{}
	for i := range all {
		if all[i].Running() {
			running[all[i].Name] = all[i].ID
		}
	}
	return running
}

// resize gives running containers and their pod the limits of the spec. The kernel lets no group have more than the one
// above it: what grows needs the pod's group first, what shrinks needs it last.
func (w *worker) resize(ctx context.Context, p *v1.Pod, running map[string]string) error {
	grow := w.runner.Cgroups.Ensure(p) // fails when a container still has more than the pod will have
	for name, id := range running {
		c := pod.FindContainer(p, name)
		if c == nil {
			continue
		}
		resources := w.runner.Settings.ContainerResources(p, c)
		if resources.CpuQuota == 0 {
			resources.CpuQuota = -1 // in an update 0 means: as it is
		}
		if err := w.runner.Runtime.UpdateContainer(ctx, id, resources); err != nil {
			return fmt.Errorf("resize container %s: %w", name, err)
		}
	}
	if grow == nil {
		return w.runner.weigh()
	}
	if err := w.runner.Cgroups.Ensure(p); err != nil {
		return err
	}
	return w.runner.weigh()
}
