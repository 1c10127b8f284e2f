package pod

import (
	v1 "k8s.io/api/core/v1"
)

// completed says whether the pod is over by itself: every container ended for good, or an init container failed for good.
func (m *Machine) completed() bool {
	if !m.observed {
		return false
	}
	initialized := m.initialized()
	for i := range m.pod.Spec.InitContainers {
		c := &m.pod.Spec.InitContainers[i]
		newest := m.newest(c.Name)
		if IsSidecar(c) || initialized || newest == nil || !newest.Exited() || newest.ExitCode == 0 {
			continue
		}
		if !initShouldRestart(m.pod, c, newest.ExitCode) {
			return true
		}
	}
	for i := range m.pod.Spec.Containers {
		c := &m.pod.Spec.Containers[i]
		newest := m.newest(c.Name)
		if newest == nil || !newest.Exited() || shouldRestart(m.pod, c, newest.ExitCode) {
			return false
		}
	}
	return len(m.pod.Spec.Containers) > 0
}

// grace is how long the pod's containers may take to end.
func (m *Machine) grace() int64 {
	switch {
	case m.deleting() && m.pod.DeletionGracePeriodSeconds != nil:
		return *m.pod.DeletionGracePeriodSeconds
	case m.deleting() || m.end == nil:
		return m.specGrace()
	}
	return m.end.grace
}

// stopAll ends the containers side by side, then the sidecars, last started first, within one grace period.
func (m *Machine) stopAll() {
	if m.stopSince.IsZero() {
		m.stopSince = m.now
	}
	if m.startsUnderWay() && !m.cancelled {
		m.cancelled = true
		m.emit(Action{Verb: CancelStarts})
	}
	left := m.graceLeft(m.grace(), m.stopSince)
	waiting := false
	for i := range m.containers {
		c := &m.containers[i]
		if spec := FindContainer(m.pod, c.Name); c.Running() && (spec == nil || !m.isSidecarOf(c.Name)) {
			m.stopStarted(c, left)
			waiting = true
		}
	}
	if waiting {
		return
	}
	for i := len(m.pod.Spec.InitContainers) - 1; i >= 0; i-- {
		name := m.pod.Spec.InitContainers[i].Name
		if c := m.newest(name); c.Running() {
			m.stopStarted(c, left)
			return
		}
	}
}

// stopStarted ends a container of a pod that is over, once the action that started it is through: the runtime reports it running a
// little earlier.
func (m *Machine) stopStarted(c *Container, grace int64) {
	if !m.busy(StartContainer, c.Name) {
		m.stop(c, grace, "Stopping container "+c.Name)
	}
}

func (m *Machine) isSidecarOf(name string) bool {
	for i := range m.pod.Spec.InitContainers {
		if c := &m.pod.Spec.InitContainers[i]; c.Name == name {
			return IsSidecar(c)
		}
	}
	return false
}

// stop ends one container; called again with a shorter grace, it hurries.
func (m *Machine) stop(c *Container, grace int64, message string) {
	l := m.lifeOf(c)
	if m.waits(l.stopRetry.at) {
		return
	}
	grace = max(grace, minimumGrace)
	hurry := l.stopping && m.graceOf(c) < l.stopGrace
	if l.stopping && !hurry {
		return
	}
	if m.emit(Action{Verb: StopContainer, Container: c.Name, ID: c.ID, Grace: grace, Reason: message}) && !l.stopping {
		m.record(c.Name, v1.EventTypeNormal, "Killing", message)
	}
	l.stopping, l.stopGrace = true, m.graceOf(c)
}

// graceOf is the grace period a container was promised; when it shrinks, the stop under way is replaced.
func (m *Machine) graceOf(c *Container) int64 {
	if m.over() {
		return m.grace()
	}
	if l := m.lifeOf(c); l.killGrace != nil {
		return *l.killGrace
	}
	return m.specGrace()
}

// settle gives back what a pod without containers holds, and keeps its containers for their logs.
func (m *Machine) settle() {
	if m.waits(m.removal.at) {
		return
	}
	for _, s := range m.sandboxes {
		if s.Ready {
			m.emit(Action{Verb: StopSandbox, ID: s.ID})
		}
	}
	if !m.holdsSandbox() && !m.released && m.emit(Action{Verb: Release}) {
		m.emit(Action{Verb: ForgetProbes})
	}
	if m.reclaim && m.released {
		m.removeContainers()
	}
}

// remove takes everything from the node, and last of all the object from the API.
func (m *Machine) remove() {
	if m.waits(m.removal.at) {
		return
	}
	for _, s := range m.sandboxes {
		m.emit(Action{Verb: RemoveSandbox, ID: s.ID})
	}
	if len(m.sandboxes) == 0 {
		m.removeContainers()
	}
	if len(m.sandboxes) == 0 && len(m.containers) == 0 && !m.vanished {
		m.emit(Action{Verb: DeleteFromAPI})
	}
}

func (m *Machine) removeContainers() {
	for i := range m.containers {
		m.emit(Action{Verb: RemoveContainer, Container: m.containers[i].Name, ID: m.containers[i].ID})
	}
}
