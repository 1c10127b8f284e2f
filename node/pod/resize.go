package pod

import (
	"fmt"

	v1 "k8s.io/api/core/v1"
)

// keepResources has the limits of running containers changed in place when the spec's did (KEP-1287).
func (m *Machine) keepResources() {
	if m.outdated() && !m.busy(Resize, "") && !m.waits(m.resize.at) {
		m.resizing = m.pod
		m.emit(Action{Verb: Resize})
	}
}

// outdated says whether a container runs with other limits than the spec asks for.
func (m *Machine) outdated() bool {
	for _, c := range m.resizable() {
		newest := m.newest(c.Name)
		if !newest.Running() {
			continue
		}
		if l := m.lifeOf(newest); l.resources != nil && l.kill == "" && !sameResources(l.resources, &c.Resources) {
			return true
		}
	}
	return false
}

// resizable lists the containers whose resources may change: those that run for the pod's whole life.
func (m *Machine) resizable() []*v1.Container {
	var all []*v1.Container
	for i := range m.pod.Spec.InitContainers {
		if c := &m.pod.Spec.InitContainers[i]; IsSidecar(c) {
			all = append(all, c)
		}
	}
	for i := range m.pod.Spec.Containers {
		all = append(all, &m.pod.Spec.Containers[i])
	}
	return all
}

// resizeRestarts says whether the container asked to be restarted for a resource that changed.
func (m *Machine) resizeRestarts(c *v1.Container, l *life) bool {
	if l.resources == nil {
		return false
	}
	for _, policy := range c.ResizePolicy {
		if policy.RestartPolicy == v1.RestartContainer && !sameResource(policy.ResourceName, l.resources, &c.Resources) {
			return true
		}
	}
	return false
}

func sameResources(a, b *v1.ResourceRequirements) bool {
	return sameResource(v1.ResourceCPU, a, b) && sameResource(v1.ResourceMemory, a, b)
}

func sameResource(name v1.ResourceName, a, b *v1.ResourceRequirements) bool {
	requestA, requestB, limitA, limitB := a.Requests[name], b.Requests[name], a.Limits[name], b.Limits[name]
	return requestA.Cmp(requestB) == 0 && limitA.Cmp(limitB) == 0
}

func (m *Machine) resizeDone(err error) {
	if err != nil {
		m.failed(&m.resize, runtimeLimits())
		m.record("", v1.EventTypeWarning, "ResizeError", fmt.Sprintf("Pod resize error: %v", err))
		return
	}
	m.resize.reset()
	for _, c := range m.resizable() {
		asked := FindContainer(m.resizing, c.Name)
		if newest := m.newest(c.Name); newest.Running() && asked != nil {
			m.lifeOf(newest).resources = asked.Resources.DeepCopy()
		}
	}
	m.resizing = nil
}

// resizeCondition tells of a resize under way; there is none otherwise.
func (m *Machine) resizeCondition() []v1.PodCondition {
	if !m.outdated() || m.over() {
		return nil
	}
	c := v1.PodCondition{Type: v1.PodResizeInProgress, Status: v1.ConditionTrue}
	if m.resize.delay > 0 {
		c.Reason, c.Message = v1.PodReasonError, "resizing the running containers failed and is tried again"
	}
	return []v1.PodCondition{c}
}
