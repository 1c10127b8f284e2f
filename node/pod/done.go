package pod

import (
	"errors"
	"fmt"
	"slices"
	"time"

	v1 "k8s.io/api/core/v1"
)

// done takes note of how an action ended.
func (m *Machine) done(e Done) {
	if before, ok := m.underWay[e.Action.key()]; ok && before.Grace == e.Action.Grace {
		delete(m.underWay, e.Action.key())
	}
	if e.Sandbox != nil {
		m.upsertSandbox(*e.Sandbox)
	}
	if e.Container != nil {
		m.upsertContainer(*e.Container)
	}
	if e.Err != nil && e.Action.Starts() && (m.over() || m.cancelled) {
		// Interrupted on purpose, or too late to matter: what it left is found by looking.
		m.stale = m.stale || e.Action.Verb == StartContainer || e.Action.Verb == RunSandbox
		if m.stale {
			m.emit(Action{Verb: Observe})
		}
		return
	}
	switch e.Action.Verb {
	case PrepareVolumes:
		m.volumesDone(e.Err)
	case RunSandbox:
		m.sandboxDone(e.Err)
	case EnsureImage:
		m.imageDone(e)
	case StartContainer:
		m.startDone(e)
	case PostStart:
		m.hookDone(e)
	case Resize:
		m.resizeDone(e.Err)
	case StopContainer:
		m.stopDone(e)
	case StopSandbox, RemoveSandbox, RemoveContainer, Release, DeleteFromAPI:
		m.removalDone(e)
	}
}

func (m *Machine) volumesDone(err error) {
	m.volumeImage = nil
	var f *Failure
	if errors.As(err, &f) && isImageReason(f.Reason) {
		m.volumeImage = f
		m.failed(&m.volumes, imageLimits(f))
		m.record("", v1.EventTypeWarning, "Failed", "Error: "+f.Reason)
		return
	}
	if err != nil {
		m.failed(&m.volumes, volumeLimits())
		m.record("", v1.EventTypeWarning, "FailedMount", err.Error())
		return
	}
	m.volumesReady = true
	m.volumes.reset()
}

func (m *Machine) sandboxDone(err error) {
	if err != nil {
		m.failed(&m.runtime, runtimeLimits())
		m.record("", v1.EventTypeWarning, "FailedCreatePodSandBox", fmt.Sprintf("Failed to create pod sandbox: %v", err))
		m.stale = true
		m.emit(Action{Verb: Observe})
		return
	}
	m.runtime.reset()
}

// asFailure gives any error the shape that status shows.
func asFailure(err error, reason string) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	return &Failure{Reason: reason, Message: err.Error()}
}

func (m *Machine) imageDone(e Done) {
	mem := m.mem(e.Action.Container)
	if e.Err == nil {
		mem.image = e.Image
		mem.pull.reset()
		if mem.failure != nil && isImageReason(mem.failure.Reason) {
			mem.failure = nil
		}
		return
	}
	f := asFailure(e.Err, ErrImagePull)
	mem.failure = f
	m.failed(&mem.pull, imageLimits(f))
	m.record(e.Action.Container, v1.EventTypeWarning, "Failed", "Error: "+f.Reason)
}

func imageLimits(f *Failure) limits {
	if f.Reason == ErrImagePull {
		return pullLimits() // spares the registry
	}
	return runtimeLimits()
}

func isImageReason(reason string) bool {
	switch reason {
	case ErrImagePull, ImagePullBackOff, ErrImageNeverPull, InvalidImageName, ImageInspectError:
		return true
	}
	return false
}

func (m *Machine) startDone(e Done) {
	mem := m.mem(e.Action.Container)
	mem.image = ""
	if e.Err == nil {
		mem.failure = nil
		mem.create.reset()
		return
	}
	f := asFailure(e.Err, CreateContainerFailure)
	mem.failure = f
	m.failed(&mem.create, runtimeLimits())
	m.record(e.Action.Container, v1.EventTypeWarning, "Failed", "Error: "+f.Message)
	m.stale = true
	m.emit(Action{Verb: Observe})
}

func (m *Machine) hookDone(e Done) {
	c := m.newest(e.Action.Container)
	if c == nil || c.ID != e.Action.ID {
		return
	}
	l := m.lifeOf(c)
	l.hookDone = true
	if e.Err == nil {
		return
	}
	l.hookFailed = true
	l.kill = "FailedPostStartHook"
	m.mem(c.Name).failure = &Failure{Reason: PostStartHookFailure, Message: "PostStartHook failed"}
	m.record(c.Name, v1.EventTypeWarning, "FailedPostStartHook", "PostStartHook failed")
}

func (m *Machine) stopDone(e Done) {
	c := m.newest(e.Action.Container)
	if c == nil || c.ID != e.Action.ID {
		return
	}
	l := m.lifeOf(c)
	if e.Err != nil {
		if _, again := m.underWay[e.Action.key()]; !again { // replaced ones fail on purpose
			l.stopping = false
			m.failed(&l.stopRetry, runtimeLimits())
		}
		return
	}
	if c.Running() { // the runtime said it stopped; its event with the exit code follows
		m.stale = true
		m.emit(Action{Verb: Observe})
	}
}

func (m *Machine) removalDone(e Done) {
	if e.Err != nil {
		m.failed(&m.removal, runtimeLimits())
		if e.Action.Verb == StopSandbox {
			m.record("", v1.EventTypeWarning, "FailedKillPod", fmt.Sprintf("error killing pod: %v", e.Err))
		}
		return
	}
	m.removal.reset()
	switch e.Action.Verb {
	case StopSandbox:
		m.replaced[e.Action.ID] = true
		for i := range m.sandboxes {
			if m.sandboxes[i].ID == e.Action.ID {
				m.sandboxes[i].Ready = false
			}
		}
		if m.anyRunning() {
			m.stale = true
			m.emit(Action{Verb: Observe})
		}
	case RemoveSandbox:
		m.sandboxes = slices.DeleteFunc(m.sandboxes, func(s Sandbox) bool { return s.ID == e.Action.ID })
		m.containers = slices.DeleteFunc(m.containers, func(c Container) bool { return c.SandboxID == e.Action.ID })
	case RemoveContainer:
		m.containers = slices.DeleteFunc(m.containers, func(c Container) bool { return c.ID == e.Action.ID })
	case Release:
		m.released = true
	case DeleteFromAPI:
		m.deleted = true
	}
}

// graceLeft is what remains of a grace period that began at since; the runtime gets at least two seconds, so that a process
// that would end by itself is not killed.
func (m *Machine) graceLeft(grace int64, since time.Time) int64 {
	left := grace - int64(m.now.Sub(since)/time.Second)
	return max(left, minimumGrace)
}

const minimumGrace = 2
