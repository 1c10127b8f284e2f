package pod

import (
	"slices"
	"time"

	v1 "k8s.io/api/core/v1"
)

// Sandbox is what the runtime says about one pod sandbox.
type Sandbox struct {
	ID      string
	Attempt uint32
	Ready   bool
	IPs     []string // empty for host network
}

// ContainerState orders the life of a container: for one ID it only grows.
type ContainerState uint8

// The states of a container.
const (
	ContainerCreated ContainerState = iota + 1
	ContainerRunning
	ContainerExited
	ContainerUnknown // the runtime lost track of it: treated as exited
)

// Container is what the runtime says about one container.
type Container struct {
	ID        string
	Name      string
	SandboxID string
	Attempt   int
	State     ContainerState
	SpecHash  string // of the spec it was made from, see SpecHash; "" when unknown
	LogPath   string // absolute

	CreatedAt, StartedAt, FinishedAt time.Time

	ExitCode int32
	Reason   string
	Message  string // the termination message

	Image      string // as the spec names it, or as the runtime does
	ImageID    string // what status.imageID shows
	User       *v1.ContainerUser
	StopSignal *v1.Signal
}

// Running says whether a process of the container may be alive.
func (c *Container) Running() bool { return c != nil && c.State == ContainerRunning }

// Exited says whether the container ran and is over.
func (c *Container) Exited() bool {
	return c != nil && (c.State == ContainerExited || c.State == ContainerUnknown)
}

// upsertSandbox puts the newest attempt first.
func (m *Machine) upsertSandbox(s Sandbox) {
	i := slices.IndexFunc(m.sandboxes, func(o Sandbox) bool { return o.ID == s.ID })
	if i < 0 {
		m.sandboxes = append(m.sandboxes, s)
	} else {
		if len(s.IPs) == 0 {
			s.IPs = m.sandboxes[i].IPs
		}
		s.Ready = s.Ready && m.sandboxes[i].Ready // a stopped sandbox does not come back
		m.sandboxes[i] = s
	}
	slices.SortStableFunc(m.sandboxes, func(a, b Sandbox) int { return int(b.Attempt) - int(a.Attempt) })
}

// upsertContainer keeps what is known when news about the same container arrives late.
func (m *Machine) upsertContainer(c Container) {
	i := slices.IndexFunc(m.containers, func(o Container) bool { return o.ID == c.ID })
	switch {
	case i < 0:
		m.containers = append(m.containers, c)
	case c.State >= m.containers[i].State:
		m.containers[i] = c
	}
	m.sortContainers()
}

func (m *Machine) sortContainers() {
	slices.SortStableFunc(m.containers, func(a, b Container) int { return b.CreatedAt.Compare(a.CreatedAt) })
}

// newest returns the newest container of a name, or nil.
func (m *Machine) newest(name string) *Container {
	for i := range m.containers {
		if m.containers[i].Name == name {
			return &m.containers[i]
		}
	}
	return nil
}

// previous returns the second newest container of a name, or nil.
func (m *Machine) previous(name string) *Container {
	first := true
	for i := range m.containers {
		if m.containers[i].Name != name {
			continue
		}
		if !first {
			return &m.containers[i]
		}
		first = false
	}
	return nil
}

// sandbox returns the sandbox that containers start in, or nil.
func (m *Machine) sandbox() *Sandbox {
	if len(m.sandboxes) > 0 && m.sandboxes[0].Ready {
		return &m.sandboxes[0]
	}
	return nil
}

// current returns the newest container of a name if it belongs to the sandbox of now.
func (m *Machine) current(name string) *Container {
	c, sandbox := m.newest(name), m.sandbox()
	if c == nil || sandbox == nil || c.SandboxID != sandbox.ID {
		return nil
	}
	return c
}

func (m *Machine) anyRunning() bool {
	return slices.ContainsFunc(m.containers, func(c Container) bool { return c.Running() })
}
