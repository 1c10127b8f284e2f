package pod

import (
	v1 "k8s.io/api/core/v1"
)

// tally counts containers by how far they are.
type tally struct {
	pending, waiting, running, unknown     int
	stopped, stoppedForGood, succeeded     int
	initFailedForGood, sidecarsNotYetReady int
}

// phase derives status.phase from the container statuses. final: no container will start again.
func phase(p *v1.Pod, s *v1.PodStatus, final, initialized bool) v1.PodPhase {
	var t tally
	for i := range p.Spec.InitContainers {
		c := &p.Spec.InitContainers[i]
		if IsSidecar(c) {
			t.sidecar(findIn(s.InitContainerStatuses, c.Name))
		} else {
			t.init(p, c, findIn(s.InitContainerStatuses, c.Name))
		}
	}
	for i := range p.Spec.Containers {
		t.container(p, &p.Spec.Containers[i], findIn(s.ContainerStatuses, p.Spec.Containers[i].Name))
	}
	switch {
	case t.initFailedForGood > 0:
		return v1.PodFailed
	case t.pending > 0 || (t.sidecarsNotYetReady > 0 && !initialized) || t.waiting > 0:
		return v1.PodPending
	case t.running > 0 && t.unknown == 0:
		return v1.PodRunning
	case t.stopped > 0 && t.unknown == 0 && (final || t.stopped == t.stoppedForGood):
		if t.stopped == t.succeeded {
			return v1.PodSucceeded
		}
		return v1.PodFailed
	case t.stopped > 0 && t.unknown == 0:
		return v1.PodRunning // all stopped, some of them about to start again
	}
	return v1.PodPending
}

// lastExit is how a container that is not running ended, or nil when it never ran.
func lastExit(s *v1.ContainerStatus) *v1.ContainerStateTerminated {
	if s.State.Terminated != nil {
		return s.State.Terminated
	}
	if s.State.Waiting != nil {
		return s.LastTerminationState.Terminated
	}
	return nil
}

func (t *tally) init(p *v1.Pod, c *v1.Container, s *v1.ContainerStatus) {
	if s == nil || s.State.Running != nil || lastExit(s) == nil {
		t.pending++
		return
	}
	exit := lastExit(s)
	switch {
	case exit.ExitCode == 0 && s.State.Waiting != nil:
		t.pending++ // it runs once more in a new sandbox
	case exit.ExitCode != 0 && !initShouldRestart(p, c, exit.ExitCode):
		t.initFailedForGood++
	case exit.ExitCode != 0:
		t.pending++
	}
}

func (t *tally) sidecar(s *v1.ContainerStatus) {
	switch {
	case s == nil:
		t.unknown++
	case s.State.Running != nil:
		t.running++
		if s.Started == nil || !*s.Started {
			t.sidecarsNotYetReady++
		}
	case lastExit(s) == nil:
		t.sidecarsNotYetReady++
		t.waiting++
	}
}

func (t *tally) container(p *v1.Pod, c *v1.Container, s *v1.ContainerStatus) {
	switch {
	case s == nil:
		t.unknown++
	case s.State.Running != nil:
		t.running++
	case lastExit(s) == nil:
		t.waiting++
	default:
		exit := lastExit(s)
		t.stopped++
		if !shouldRestart(p, c, exit.ExitCode) {
			t.stoppedForGood++
		}
		if exit.ExitCode == 0 && s.State.Terminated != nil {
			t.succeeded++
		}
	}
}

func findIn(statuses []v1.ContainerStatus, name string) *v1.ContainerStatus {
	for i := range statuses {
		if statuses[i].Name == name {
			return &statuses[i]
		}
	}
	return nil
}

// findStatus looks a container of any kind up.
func findStatus(s *v1.PodStatus, name string) *v1.ContainerStatus {
	for _, list := range [][]v1.ContainerStatus{s.ContainerStatuses, s.InitContainerStatuses, s.EphemeralContainerStatuses} {
		if found := findIn(list, name); found != nil {
			return found
		}
	}
	return nil
}
