package pod

import (
	"slices"

	v1 "k8s.io/api/core/v1"
)

// apply folds one event into what is known. It decides nothing but what a failure means for the next try.
func (m *Machine) apply(event Event) {
	switch e := event.(type) {
	case Desired:
		m.pod = e.Pod
	case Vanished:
		m.vanished = true
	case Observed:
		m.observe(e)
	case Done:
		m.done(e)
	case Probed:
		m.probed(e.ProbeResult)
	case Refused:
		m.rejected = &Failure{Reason: e.Reason, Message: e.Message}
	case Evicted:
		if m.end == nil {
			m.end = &ending{reason: e.Reason, message: e.Message, grace: e.GraceSeconds, disrupted: e.Disrupted}
		}
	case Reclaimed:
		m.reclaim = true
	}
}

func (m *Machine) observe(e Observed) {
	if e.Full {
		m.keepOnly(e)
		if !m.observed {
			m.adopt()
		}
		m.observed, m.stale = true, false
		return
	}
	m.merge(e)
	for _, id := range e.Removed {
		m.containers = slices.DeleteFunc(m.containers, func(c Container) bool { return c.ID == id })
	}
}

// keepOnly forgets what a full observation does not hold. What it does hold may be older than what events told.
func (m *Machine) keepOnly(e Observed) {
	m.sandboxes = slices.DeleteFunc(m.sandboxes, func(s Sandbox) bool {
		return !slices.ContainsFunc(e.Sandboxes, func(o Sandbox) bool { return o.ID == s.ID })
	})
	m.containers = slices.DeleteFunc(m.containers, func(c Container) bool {
		return !slices.ContainsFunc(e.Containers, func(o Container) bool { return o.ID == c.ID })
	})
	m.merge(e)
}

func (m *Machine) merge(e Observed) {
	for _, s := range e.Sandboxes {
		m.upsertSandbox(s)
	}
	for _, c := range e.Containers {
		m.upsertContainer(c)
	}
}

// adopt takes over what an earlier agent started: probes go on from what the API was last told, so that a restart of the
// agent takes no endpoint out of service, and hooks that ran do not run again.
func (m *Machine) adopt() {
	for _, statuses := range [][]v1.ContainerStatus{m.last.InitContainerStatuses, m.last.ContainerStatuses} {
		for _, s := range statuses {
			c := m.newest(s.Name)
			if !c.Running() {
				continue
			}
			l := m.lifeOf(c)
			l.hookDone = true
			if containerURI(c.ID) == s.ContainerID {
				l.resources = s.Resources
				l.started, l.ready = s.Started != nil && *s.Started, s.Ready
			}
		}
	}
	for i := range m.containers {
		if c := &m.containers[i]; c.Running() {
			m.lifeOf(c).hookDone = true
		}
	}
}

// lifeOf returns the notes on this incarnation, new ones when the container is new. A new one has the resources that were
// asked for when its start began: the runtime may show it running before it answers the start.
func (m *Machine) lifeOf(c *Container) *life {
	l := &m.mem(c.Name).life
	if l.id != c.ID {
		*l = life{id: c.ID, resources: m.mem(c.Name).asked}
	}
	return l
}

func (m *Machine) probed(r ProbeResult) {
	c := m.newest(r.Container)
	if !c.Running() || c.ID != r.ContainerID {
		return
	}
	l := m.lifeOf(c)
	spec := FindContainer(m.pod, r.Container)
	switch {
	case r.Kind == Readiness:
		l.ready = r.Healthy
	case r.Kind == Startup && r.Healthy:
		l.started = true
	case !r.Healthy && !m.over() && spec != nil:
		probe, kind := spec.LivenessProbe, "liveness"
		if r.Kind == Startup {
			probe, kind = spec.StartupProbe, "startup"
		}
		l.kill = "Container " + r.Container + " failed " + kind + " probe" + m.afterwards(spec)
		if probe != nil {
			l.killGrace = probe.TerminationGracePeriodSeconds
		}
	}
}

// afterwards says in a message what follows a container's end.
func (m *Machine) afterwards(c *v1.Container) string {
	if m.pod.Spec.RestartPolicy == v1.RestartPolicyNever && !IsSidecar(c) {
		return ""
	}
	return ", will be restarted"
}
