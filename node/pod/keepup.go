package pod

import (
	"fmt"
	"time"

	v1 "k8s.io/api/core/v1"
)

// keepUp emits what is missing for the pod to run: volumes, sandbox and images at once, then containers in order.
func (m *Machine) keepUp() {
	if !m.volumesReady && !m.volumesWait() {
		m.emit(Action{Verb: PrepareVolumes})
	}
	m.keepSandbox()
	for _, c := range m.wanted() {
		m.start(c)
	}
	for i := range m.pod.Spec.InitContainers {
		m.tend(&m.pod.Spec.InitContainers[i])
	}
	for i := range m.pod.Spec.Containers {
		m.tend(&m.pod.Spec.Containers[i])
	}
	m.keepResources()
	m.prune()
}

// keepSandbox replaces a sandbox that died. What still runs in it, or holds its address, ends first.
func (m *Machine) keepSandbox() {
	if m.sandbox() != nil || m.stale {
		return
	}
	attempt := 0
	for i := range m.sandboxes {
		attempt = max(attempt, int(m.sandboxes[i].Attempt)+1)
	}
	if len(m.sandboxes) > 0 && !m.replaced[m.sandboxes[0].ID] {
		if m.waits(m.removal.at) {
			return
		}
		if m.emit(Action{Verb: StopSandbox, ID: m.sandboxes[0].ID}) {
			m.record("", v1.EventTypeNormal, "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.")
		}
		return
	}
	if !m.waits(m.runtime.at) {
		m.emit(Action{Verb: RunSandbox, Attempt: attempt})
	}
}

// wanted lists the containers that should be started now, in order.
func (m *Machine) wanted() []*v1.Container {
	var wanted []*v1.Container
	initialized := m.initialized()
	for i := range m.pod.Spec.InitContainers {
		c := &m.pod.Spec.InitContainers[i]
		start, wait := m.initStep(c, initialized)
		if start {
			wanted = append(wanted, c)
		}
		if wait {
			return append(wanted, m.wantedEphemeral()...)
		}
	}
	for i := range m.pod.Spec.Containers {
		c := &m.pod.Spec.Containers[i]
		if m.wantsStart(c) {
			wanted = append(wanted, c)
		}
	}
	return append(wanted, m.wantedEphemeral()...)
}

// initStep says of one init container whether it has to start, and whether what comes after has to wait for it.
func (m *Machine) initStep(c *v1.Container, initialized bool) (start, wait bool) {
	now := m.current(c.Name)
	if IsSidecar(c) {
		if now.Running() {
			return false, !initialized && !m.isStarted(c)
		}
		return true, !initialized
	}
	switch {
	case initialized:
		return false, false
	case now == nil || now.State == ContainerCreated:
		return true, true
	case now.Running():
		return false, true
	case now.State == ContainerExited && now.ExitCode == 0:
		return false, false
	}
	return initShouldRestart(m.pod, c, now.ExitCode), true
}

// initialized says whether the pod got past its init containers in this sandbox.
func (m *Machine) initialized() bool {
	for i := range m.pod.Spec.Containers {
		if m.current(m.pod.Spec.Containers[i].Name) != nil {
			return true
		}
	}
	return false
}

func (m *Machine) wantsStart(c *v1.Container) bool {
	newest := m.newest(c.Name)
	switch {
	case newest == nil || newest.State == ContainerCreated:
		return true
	case newest.Running():
		return false
	}
	return shouldRestart(m.pod, c, newest.ExitCode)
}

// wantedEphemeral lists ephemeral containers that have not been started; they never start twice.
func (m *Machine) wantedEphemeral() []*v1.Container {
	var wanted []*v1.Container
	for i := range m.pod.Spec.EphemeralContainers {
		e := &m.pod.Spec.EphemeralContainers[i]
		if m.sandbox() != nil && m.newest(e.Name) == nil {
			wanted = append(wanted, EphemeralAsContainer(e))
		}
	}
	return wanted
}

// start takes the next step towards a running container: back-off, image, then the container itself.
func (m *Machine) start(c *v1.Container) {
	mem := m.mem(c.Name)
	if m.busy(EnsureImage, c.Name) || m.busy(StartContainer, c.Name) || m.backsOff(c, mem) || m.waits(mem.create.at) {
		return
	}
	if mem.image == "" {
		if m.pullWaits(c, mem) {
			return
		}
		m.emit(Action{Verb: EnsureImage, Container: c.Name})
		return
	}
	sandbox := m.sandbox()
	if sandbox == nil || !m.volumesReady || m.stale {
		return
	}
	if newest := m.current(c.Name); newest.Exited() {
		mem.crash.next(crashLimits(), newest.FinishedAt, m.now)
	}
	mem.asked = c.Resources.DeepCopy()
	m.emit(Action{Verb: StartContainer, Container: c.Name, ID: sandbox.ID, Attempt: m.nextAttempt(c.Name), Image: mem.image})
}

// nextAttempt goes on counting where the runtime, or when it forgot, the API stands.
func (m *Machine) nextAttempt(name string) int {
	if newest := m.newest(name); newest != nil {
		return newest.Attempt + 1
	}
	if s := findStatus(&m.last, name); s != nil && s.ContainerID != "" {
		return int(s.RestartCount) + 1
	}
	return 0
}

// backsOff says whether a crashed container has to wait before it starts again.
func (m *Machine) backsOff(c *v1.Container, mem *memory) bool {
	newest := m.current(c.Name)
	if !newest.Exited() {
		return false // also when it died with its sandbox: that was not its fault
	}
	until := mem.crash.until(crashLimits(), newest.FinishedAt)
	if !m.now.Before(until) {
		return false
	}
	m.wakeAt(until)
	mem.failure = &Failure{Reason: CrashLoopBackOff, Message: fmt.Sprintf("back-off %s restarting failed container=%s pod=%s", mem.crash.delay, c.Name, Describe(m.pod))}
	if mem.crashed != newest.ID {
		mem.crashed = newest.ID
		m.record(c.Name, v1.EventTypeWarning, "BackOff", fmt.Sprintf("Back-off restarting failed container %s in pod %s", c.Name, Describe(m.pod)))
	}
	return true
}

// shownFor is how long the cause of a failed pull is shown before the status says that it is being waited for.
const shownFor = time.Second

// pullWaits says whether the image failed lately, and turns the cause into the waiting that users know.
func (m *Machine) pullWaits(c *v1.Container, mem *memory) bool {
	if !m.waits(mem.pull.at) {
		return false
	}
	f := mem.failure
	if !m.shown(f, &mem.pull) {
		return true
	}
	message := fmt.Sprintf("Back-off pulling image %q: %s: %s", c.Image, f.Reason, f.Message)
	mem.failure = &Failure{Reason: ImagePullBackOff, Message: message}
	m.record(c.Name, v1.EventTypeNormal, "BackOff", fmt.Sprintf("Back-off pulling image %q", c.Image))
	m.record(c.Name, v1.EventTypeWarning, "Failed", "Error: "+ImagePullBackOff)
	return true
}

// shown says whether a failed pull was shown for long enough.
func (m *Machine) shown(f *Failure, pull *retry) bool {
	if f == nil || f.Reason != ErrImagePull {
		return false
	}
	until := pull.last.Add(shownFor)
	if m.now.Before(until) {
		m.wakeAt(until)
		return false
	}
	return true
}

// volumesWait says whether the volumes failed lately. A missing image of a volume is shown like one of a container.
func (m *Machine) volumesWait() bool {
	if !m.waits(m.volumes.at) {
		return false
	}
	if f := m.volumeImage; m.shown(f, &m.volumes) {
		m.volumeImage = &Failure{Reason: ImagePullBackOff, Message: "Back-off pulling image of volume: " + f.Error()}
		m.record("", v1.EventTypeNormal, "BackOff", "Back-off pulling image of volume")
		m.record("", v1.EventTypeWarning, "Failed", "Error: "+ImagePullBackOff)
	}
	return true
}

// tend looks after a running container: its hook, its probes, and whether it has to go.
func (m *Machine) tend(c *v1.Container) {
	newest := m.newest(c.Name)
	if newest == nil {
		return
	}
	l := m.lifeOf(newest)
	if !newest.Running() {
		m.forgetProbes(c, l)
		return
	}
	if c.Lifecycle == nil || c.Lifecycle.PostStart == nil {
		l.hookDone = true
	}
	if !l.hookDone {
		m.emit(Action{Verb: PostStart, Container: c.Name, ID: newest.ID})
	}
	if l.hookDone && !l.watched && !l.hookFailed && hasProbe(c) {
		l.watched = true
		m.emit(Action{Verb: WatchProbes, Container: c.Name, ID: newest.ID})
	}
	if l.kill == "" && m.resizeRestarts(c, l) {
		l.kill = "Container " + c.Name + " resize requires restart, will be restarted"
	}
	if l.kill == "" && newest.SpecHash != "" && newest.SpecHash != SpecHash(c) {
		l.kill = "Container " + c.Name + " definition changed, will be restarted"
	}
	if l.kill != "" {
		grace := m.specGrace()
		if l.killGrace != nil {
			grace = *l.killGrace
		}
		m.forgetProbes(c, l)
		m.stop(newest, grace, l.kill)
	}
}

func (m *Machine) forgetProbes(c *v1.Container, l *life) {
	if l.watched && !l.forgotten {
		l.forgotten = true
		m.emit(Action{Verb: ForgetProbes, Container: c.Name})
	}
}

func hasProbe(c *v1.Container) bool {
	return c.StartupProbe != nil || c.ReadinessProbe != nil || c.LivenessProbe != nil
}

// prune removes containers that no status needs: all but the newest two of a name, as one dead one is kept for its logs.
func (m *Machine) prune() {
	seen := map[string]int{}
	for i := range m.containers {
		c := &m.containers[i]
		if seen[c.Name]++; seen[c.Name] > 2 && !c.Running() && !m.waits(m.removal.at) {
			m.emit(Action{Verb: RemoveContainer, Container: c.Name, ID: c.ID})
		}
	}
	if m.sandbox() == nil {
		return
	}
	for _, s := range m.sandboxes[1:] {
		if !s.Ready && !m.holdsContainers(s.ID) && !m.waits(m.removal.at) {
			m.emit(Action{Verb: RemoveSandbox, ID: s.ID})
		}
	}
}

func (m *Machine) holdsContainers(sandboxID string) bool {
	for i := range m.containers {
		if m.containers[i].SandboxID == sandboxID {
			return true
		}
	}
	return false
}

// isStarted says whether a container is up: it runs, its hook is through and its startup probe passed.
func (m *Machine) isStarted(c *v1.Container) bool {
	newest := m.newest(c.Name)
	if !newest.Running() {
		return false
	}
	l := m.lifeOf(newest)
	hook := c.Lifecycle == nil || c.Lifecycle.PostStart == nil || (l.hookDone && !l.hookFailed)
	return hook && (c.StartupProbe == nil || l.started)
}
