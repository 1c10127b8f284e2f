package pod

import (
	v1 "k8s.io/api/core/v1"
)

// Event is one of the types below: what happened to the pod since the last step.
type Event interface{ event() }

// Desired brings the pod as the API has it now.
type Desired struct{ Pod *v1.Pod }

// Vanished says that the API no longer has the pod.
type Vanished struct{}

// Observed brings what the runtime has for the pod. Full replaces all that is known; otherwise the rest stays.
type Observed struct {
	Full       bool
	Sandboxes  []Sandbox
	Containers []Container
	Removed    []string // container IDs that are gone
}

// Done reports that an action ended. On success of RunSandbox and StartContainer the new object is here;
// on success of EnsureImage, Image is the reference to start from.
type Done struct {
	Action    Action
	Err       error
	Sandbox   *Sandbox
	Container *Container
	Image     string
}

// Probed brings a probe's result.
type Probed struct{ ProbeResult }

// Refused says that this node must not run the pod.
type Refused struct{ Reason, Message string }

// Evicted says that the pod has to end, and why.
type Evicted struct {
	Reason, Message string
	GraceSeconds    int64
	// Disrupted says that it ends for the node's sake: controllers that count failures need not count this one.
	Disrupted bool
}

// Reclaimed says that the node is short of room: what is over gives up its containers, and their logs.
type Reclaimed struct{}

// Tick says that time passed.
type Tick struct{}

func (Desired) event()   {}
func (Vanished) event()  {}
func (Observed) event()  {}
func (Done) event()      {}
func (Probed) event()    {}
func (Refused) event()   {}
func (Evicted) event()   {}
func (Reclaimed) event() {}
func (Tick) event()      {}

// Failure is an error with the reason that status shows for a container that waits.
type Failure struct {
	Reason  string // "CreateContainerConfigError"
	Message string
}

func (f *Failure) Error() string { return f.Reason + ": " + f.Message }

// The reasons of Failures.
const (
	ErrImagePull           = "ErrImagePull"
	ImagePullBackOff       = "ImagePullBackOff"
	ErrImageNeverPull      = "ErrImageNeverPull"
	InvalidImageName       = "InvalidImageName"
	ImageInspectError      = "ImageInspectError"
	CreateContainerConfig  = "CreateContainerConfigError"
	CreateContainerFailure = "CreateContainerError"
	RunContainerFailure    = "RunContainerError"
	PostStartHookFailure   = "PostStartHookError"
	CrashLoopBackOff       = "CrashLoopBackOff"
)
