package pod

import (
	"time"

	v1 "k8s.io/api/core/v1"
)

// State is where a pod is in its life on this node.
//
//	            sandbox ready            to end, or all containers done
//	Starting ◄───────────────► Running ─────────────┐
//	    │       sandbox lost                        ▼
//	    └──────────────────────────────────────► Stopping    containers end, sidecars last
//	         to end (deletion, deadline,            │ none runs, nothing is being started
//	         eviction), or API says it is over      ▼
//	Rejected ◄── the node refuses it            Stopped     sandbox stops, volumes are released;
//	    │                                           │        the final status is known
//	    └───────────── deletion ─────────────► Removing     sandboxes and containers are removed
//	                                                │        then the API object is deleted
//	                                                ▼
//	                                              Gone       nothing is left on the node
type State string

// The states, see State.
const (
	Starting State = "Starting"
	Running  State = "Running"
	Stopping State = "Stopping"
	Stopped  State = "Stopped"
	Rejected State = "Rejected"
	Removing State = "Removing"
	Gone     State = "Gone"
)

// Host is what a pod's status says about its node.
type Host struct {
	IPs []string // the first is status.hostIP
}

// Machine decides for one pod. One goroutine uses it.
//
// It is level-triggered: every Step folds one event into what is known (the API's object, the runtime's containers, which
// actions are under way, what failed lately) and then derives the state and all that is missing, emitting an action unless
// one with its key is under way. So an event that comes late, twice or not at all costs time, never correctness, and an
// agent that restarts only needs one Observed to carry on.
//
// The road not taken: one goroutine per container that runs its steps in sequence. It reads simpler, but deletion,
// a lost sandbox or a changed probe then have to interrupt it wherever it is, and what it knows cannot be printed.
type Machine struct {
	host Host
	pod  *v1.Pod
	now  time.Time

	state      State
	sandboxes  []Sandbox   // newest first
	containers []Container // newest first
	observed   bool        // the runtime's state is known: nothing is decided before
	stale      bool        // an interrupted action may have left something: look again before going on

	underWay map[string]Action
	memory   map[string]*memory // by container name

	volumesReady bool
	volumeImage  *Failure // why an image volume's image is missing
	released     bool     // after the pod ended: volumes and cgroup are gone
	vanished     bool     // the API has no such pod any more
	deleted      bool     // the API was asked to forget it
	reclaim      bool     // what is over must not keep its containers
	cancelled    bool     // CancelStarts was emitted
	end          *ending
	rejected     *Failure
	stopSince    time.Time
	replaced     map[string]bool // IDs of dead sandboxes that gave back what they held

	resizing *v1.Pod // whose resources a Resize under way brings about

	volumes, runtime, removal, resize retry // what failed lately
	started                           time.Time
	last                              v1.PodStatus

	out  []Action
	wake time.Time
}

// ending says why a pod that nobody deleted has to end.
type ending struct {
	reason, message string
	grace           int64
	disrupted       bool // see Evicted
}

// retry is a thing to try again later.
type retry struct {
	backoff
	at time.Time
}

// memory is what the runtime does not tell about the containers of one name.
type memory struct {
	image   string                   // resolved for the next start; "" when not yet
	asked   *v1.ResourceRequirements // by the spec when the newest container was started
	failure *Failure
	pull    retry
	create  retry
	crash   backoff
	crashed string // ID of the container whose crash has been counted in an event
	life    life
}

// life is what is known of one incarnation of a container.
type life struct {
	id         string
	hookDone   bool
	hookFailed bool
	watched    bool
	forgotten  bool
	started    bool                     // startup probe passed
	ready      bool                     // readiness probe passes
	resources  *v1.ResourceRequirements // what it runs with; nil: unknown
	kill       string
	killGrace  *int64
	stopGrace  int64
	stopping   bool
	stopRetry  retry
}

// Step is the outcome of one event.
type Step struct {
	Actions  []Action
	Status   v1.PodStatus
	Wake     time.Time // Tick then; zero: no need
	From, To State
}

// New makes the machine of a pod that is bound to this node.
func New(p *v1.Pod, host Host) *Machine {
	m := &Machine{host: host, pod: p, state: Starting, underWay: map[string]Action{}, memory: map[string]*memory{}, replaced: map[string]bool{}, last: *p.Status.DeepCopy()}
	if p.Status.StartTime != nil {
		m.started = p.Status.StartTime.Time
	}
	return m
}

// Pod is the newest version the machine was given.
func (m *Machine) Pod() *v1.Pod { return m.pod }

// Vanished says whether the machine was told that the API has no such pod any more.
func (m *Machine) Vanished() bool { return m.vanished }

// State says where the pod is.
func (m *Machine) State() State { return m.state }

// Containers lists what is known to exist, newest first. The caller must not change it.
func (m *Machine) Containers() []Container { return m.containers }

// Sandbox is the newest sandbox, ready or not, or nil.
func (m *Machine) Sandbox() *Sandbox {
	if len(m.sandboxes) == 0 {
		return nil
	}
	return &m.sandboxes[0]
}

// Step folds one event in and says what follows. The caller owns the result.
func (m *Machine) Step(now time.Time, event Event) Step {
	m.now, m.out, m.wake = now, nil, time.Time{}
	if m.started.IsZero() {
		m.started = now
	}
	from := m.state
	m.apply(event)
	if m.observed {
		m.checkDeadline()
		m.transition()
		m.decide()
		// What was decided may be the last thing that a state waited for.
		for before := m.state; ; before = m.state {
			if m.transition(); m.state == before {
				break
			}
			m.decide()
		}
	}
	m.last = m.status()
	return Step{Actions: m.out, Status: *m.last.DeepCopy(), Wake: m.wake, From: from, To: m.state}
}

// transition is the only place where the state changes.
func (m *Machine) transition() { m.state = m.next() }

func (m *Machine) next() State {
	switch {
	case m.state == Gone || (m.state == Removing && m.removed()):
		return Gone
	case m.rejected != nil && !m.deleting() && len(m.sandboxes) == 0:
		return Rejected
	case !m.over():
		if m.sandbox() != nil {
			return Running
		}
		return Starting
	case m.anyRunning() || m.startsUnderWay() || m.stale:
		return Stopping
	case m.holdsSandbox() || !m.released || !m.deleting():
		return Stopped
	}
	return Removing
}

// holdsSandbox says whether a sandbox is up or on its way down: the runtime reports it dead before its network is gone.
func (m *Machine) holdsSandbox() bool {
	for _, a := range m.underWay {
		if a.Verb == StopSandbox {
			return true
		}
	}
	return m.sandbox() != nil
}

// deleting says whether the pod is to leave the API, or has left it.
func (m *Machine) deleting() bool { return m.vanished || m.pod.DeletionTimestamp != nil }

// over says whether no container may start any more.
func (m *Machine) over() bool {
	return m.deleting() || m.end != nil || m.rejected != nil || terminal(m.last.Phase) || terminal(m.pod.Status.Phase) || m.completed()
}

func terminal(phase v1.PodPhase) bool { return phase == v1.PodSucceeded || phase == v1.PodFailed }

// removed says whether nothing is left on the node and in the API.
func (m *Machine) removed() bool {
	return len(m.sandboxes) == 0 && len(m.containers) == 0 && (m.vanished || m.deleted)
}

func (m *Machine) startsUnderWay() bool {
	for _, a := range m.underWay {
		if a.Starts() {
			return true
		}
	}
	return false
}

func (m *Machine) decide() {
	switch m.state {
	case Starting, Running:
		m.keepUp()
	case Stopping:
		m.stopAll()
	case Stopped:
		m.settle()
	case Removing:
		m.remove()
	}
}

func (m *Machine) checkDeadline() {
	seconds := m.pod.Spec.ActiveDeadlineSeconds
	if seconds == nil || m.over() {
		return
	}
	deadline := m.started.Add(time.Duration(*seconds) * time.Second)
	if m.now.Before(deadline) {
		m.wakeAt(deadline)
		return
	}
	m.end = &ending{reason: "DeadlineExceeded", message: "Pod was active on the node longer than the specified deadline", grace: m.specGrace()}
	m.record("", v1.EventTypeNormal, m.end.reason, m.end.message)
}

// emit adds an action unless one like it is under way.
func (m *Machine) emit(a Action) bool {
	if a.reported() {
		if before, busy := m.underWay[a.key()]; busy && !(a.Verb == StopContainer && a.Grace < before.Grace) {
			return false
		}
		m.underWay[a.key()] = a
	}
	m.out = append(m.out, a)
	return true
}

func (m *Machine) record(container, eventType, reason, message string) {
	m.emit(Action{Verb: Record, Container: container, EventType: eventType, Reason: reason, Message: message})
}

func (m *Machine) busy(verb Verb, container string) bool {
	for _, a := range m.underWay {
		if a.Verb == verb && a.Container == container {
			return true
		}
	}
	return false
}

// wakeAt asks for a Tick at that time at the latest.
func (m *Machine) wakeAt(t time.Time) {
	if m.wake.IsZero() || t.Before(m.wake) {
		m.wake = t
	}
}

// waits says whether a retry is not due yet, and asks to be woken when it is.
func (m *Machine) waits(at time.Time) bool {
	if !m.now.Before(at) {
		return false
	}
	m.wakeAt(at)
	return true
}

func (m *Machine) failed(r *retry, l limits) {
	r.next(l, m.now, m.now)
	r.at = m.now.Add(r.delay)
}

func (r *retry) reset() { *r = retry{} }

func (m *Machine) mem(name string) *memory {
	if m.memory[name] == nil {
		m.memory[name] = &memory{}
	}
	return m.memory[name]
}

func (m *Machine) specGrace() int64 {
	if g := m.pod.Spec.TerminationGracePeriodSeconds; g != nil {
		return *g
	}
	return 30
}
