package pod

import (
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func (m *Machine) containerStatuses(specs []v1.Container, last []v1.ContainerStatus, init bool) []v1.ContainerStatus {
	if len(specs) == 0 {
		return nil
	}
	statuses := make([]v1.ContainerStatus, 0, len(specs))
	for i := range specs {
		statuses = append(statuses, m.containerStatus(&specs[i], findIn(last, specs[i].Name), init))
	}
	return statuses
}

// containerStatus describes one container. last is what was reported before, or nil.
func (m *Machine) containerStatus(c *v1.Container, last *v1.ContainerStatus, init bool) v1.ContainerStatus {
	s := v1.ContainerStatus{Name: c.Name, Image: c.Image, VolumeMounts: mountStatuses(c)}
	newest := m.newest(c.Name)
	if newest == nil {
		if last != nil && last.State.Terminated != nil {
			return *last
		}
		m.forgotten(&s, last)
	} else {
		s.RestartCount = int32(newest.Attempt)
		s.ContainerID, s.Image, s.ImageID = containerURI(newest.ID), newest.Image, newest.ImageID
		s.Resources, s.AllocatedResources = c.Resources.DeepCopy(), c.Resources.DeepCopy().Requests
		if set := m.lifeOf(newest).resources; set != nil {
			s.Resources = set.DeepCopy()
		}
		s.User, s.StopSignal = newest.User, newest.StopSignal
		s.State = m.stateOf(newest)
		if before := m.previous(c.Name); before != nil {
			s.LastTerminationState = m.stateOf(before)
			s.LastTerminationState.Waiting, s.LastTerminationState.Running = nil, nil
		} else if last != nil {
			s.LastTerminationState = last.LastTerminationState
		}
	}
	if f := m.failureOf(c, newest); f != nil && s.State.Running == nil && m.startsAgain(c, newest, init) {
		if s.State.Terminated != nil {
			s.LastTerminationState = s.State
		}
		s.State = v1.ContainerState{Waiting: &v1.ContainerStateWaiting{Reason: f.Reason, Message: f.Message}}
	}
	m.readiness(&s, c, newest, init)
	return s
}

// failureOf is what keeps a container from starting, or nil. A missing image of a volume keeps back the pod's first ones.
func (m *Machine) failureOf(c *v1.Container, newest *Container) *Failure {
	f := m.mem(c.Name).failure
	inits := m.pod.Spec.InitContainers
	if f == nil && newest == nil && (len(inits) == 0 || inits[0].Name == c.Name) {
		f = m.volumeImage
	}
	return f
}

// forgotten describes a container that the runtime does not have: not made yet, or lost.
func (m *Machine) forgotten(s *v1.ContainerStatus, last *v1.ContainerStatus) {
	s.State = m.waiting()
	if m.ended() && m.initDone() {
		s.State = v1.ContainerState{Terminated: &v1.ContainerStateTerminated{
			Reason: "ContainerStatusUnknown", Message: "The container could not be located when the pod was terminated", ExitCode: 137,
		}}
	}
	if last == nil {
		return
	}
	s.RestartCount, s.LastTerminationState = last.RestartCount, last.LastTerminationState
	if last.State.Running == nil {
		return
	}
	lost := &v1.ContainerStateTerminated{
		Reason:   "ContainerStatusUnknown",
		Message:  "The container could not be located when the pod was deleted.  The container used to be Running",
		ExitCode: 137,
	}
	if m.over() {
		s.State = v1.ContainerState{Terminated: lost}
		return
	}
	s.LastTerminationState.Terminated = lost
	s.RestartCount++
}

// waiting is the state of a container that was not started yet, whether or not it is made.
func (m *Machine) waiting() v1.ContainerState {
	reason := "ContainerCreating"
	if len(m.pod.Spec.InitContainers) > 0 {
		reason = "PodInitializing"
	}
	return v1.ContainerState{Waiting: &v1.ContainerStateWaiting{Reason: reason}}
}

// ended says whether no container runs and none will.
func (m *Machine) ended() bool {
	return m.observed && m.over() && m.state != Stopping && m.state != Running && m.state != Starting && !m.anyRunning()
}

// initDone says whether every init container that has to end before the containers start did so.
func (m *Machine) initDone() bool {
	for i := range m.pod.Spec.InitContainers {
		c := &m.pod.Spec.InitContainers[i]
		if newest := m.newest(c.Name); !IsSidecar(c) && (!newest.Exited() || newest.ExitCode != 0) {
			return false
		}
	}
	return true
}

// startsAgain says whether a container that is not running will be started.
func (m *Machine) startsAgain(c *v1.Container, newest *Container, init bool) bool {
	switch {
	case m.over():
		return false
	case !newest.Exited():
		return true
	case init:
		return initShouldRestart(m.pod, c, newest.ExitCode)
	}
	return shouldRestart(m.pod, c, newest.ExitCode)
}

// readiness fills in started and ready from the probes' results.
func (m *Machine) readiness(s *v1.ContainerStatus, c *v1.Container, newest *Container, init bool) {
	started := m.isStarted(c)
	s.Started = &started
	switch {
	case init && !IsSidecar(c):
		s.Ready = s.State.Terminated != nil && s.State.Terminated.ExitCode == 0
	case started:
		s.Ready = c.ReadinessProbe == nil || m.lifeOf(newest).ready
	}
}

func (m *Machine) stateOf(c *Container) v1.ContainerState {
	switch c.State {
	case ContainerRunning:
		return v1.ContainerState{Running: &v1.ContainerStateRunning{StartedAt: seconds(c.StartedAt)}}
	case ContainerExited, ContainerUnknown:
		exit := &v1.ContainerStateTerminated{
			ExitCode: c.ExitCode, Reason: c.Reason, Message: c.Message, ContainerID: containerURI(c.ID),
			StartedAt: seconds(c.StartedAt), FinishedAt: seconds(c.FinishedAt),
		}
		if c.State == ContainerUnknown {
			exit.Reason, exit.ExitCode = "ContainerStatusUnknown", 137
			exit.Message = "The container could not be located when the pod was terminated"
		}
		return v1.ContainerState{Terminated: exit}
	}
	return m.waiting()
}

func mountStatuses(c *v1.Container) []v1.VolumeMountStatus {
	var all []v1.VolumeMountStatus
	for _, mount := range c.VolumeMounts {
		s := v1.VolumeMountStatus{Name: mount.Name, MountPath: mount.MountPath, ReadOnly: mount.ReadOnly}
		if mount.ReadOnly {
			mode := v1.RecursiveReadOnlyDisabled
			if asked := mount.RecursiveReadOnly; asked != nil && *asked != v1.RecursiveReadOnlyDisabled {
				mode = v1.RecursiveReadOnlyEnabled
			}
			s.RecursiveReadOnly = &mode
		}
		all = append(all, s)
	}
	return all
}

// seconds is a time as the API keeps it.
func seconds(t time.Time) metav1.Time { return metav1.NewTime(t.Truncate(time.Second)) }
